"""The command itself, as a person starts it."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge.demo import PHOTOGRAPH
from edge.opencv import cv2
from tests.conftest import ROOT, shared

HEADLESS = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


def run(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "edge" / "run.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=HEADLESS, capture_output=True, text=True, timeout=120)


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def frames_of(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


def test_the_demo_without_a_display_writes_a_video_and_says_so(tmp_path: Path) -> None:
    done = run("--source", "demo", "--max-frames", 20, "--stats", "stats.json", "--events", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *_ = done.stdout.splitlines()
    assert "no display" in first
    assert "demo.mp4" in first
    assert "face 1: happy" in done.stdout
    assert frames_of(tmp_path / "demo.mp4") == 20
    read = events(tmp_path / "e.jsonl")
    assert [event["frame"] for event in read] == list(range(20))
    assert all(len(event["faces"]) == 1 for event in read)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["frames"] == 20
    assert stats["fps"] > 0
    assert {"capture", "detect", "classify", "draw"} <= set(stats["stages_ms"])
    assert stats["age_ms"]["p50"] >= stats["stages_ms"]["detect"]["p50"]
    assert (stats["detector"], stats["dropped"], stats["threads"]) == ("haar", 0, 1)


def test_the_demo_shows_one_face_throughout(tmp_path: Path) -> None:
    assert run("--source", "demo", "--no-display", "--events", tmp_path / "events").returncode == 0
    read = events(tmp_path / "events")
    faces = [event["faces"] for event in read]
    assert [len(found) for found in faces] == [1] * 300
    assert {found[0]["id"] for found in faces} == {1}
    assert sum(found[0]["emotion"] == "happy" for found in faces) > 270


def test_the_same_clip_gives_the_same_events_byte_for_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run("--source", "demo", "--max-frames", 40, "--no-display", "--events", tmp_path / name).returncode == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_it_runs_as_a_module_too() -> None:
    command = [
        sys.executable,
        "-m",
        "edge.run",
        "--source",
        "demo",
        "--max-frames",
        "2",
        "--no-display",
        "--events",
        "-",
    ]
    done = subprocess.run(command, cwd=ROOT, env=HEADLESS, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1]
    assert "2 frames" in done.stderr


def test_a_folder_of_pictures_is_read_one_by_one(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    picture = cv2.imread(str(PHOTOGRAPH))
    cv2.imwrite(str(folder / "a.jpg"), picture)
    cv2.imwrite(str(folder / "b.png"), picture[300:])
    done = run("--source", folder, "--no-display", "--record", out, "--events", tmp_path / "events")
    assert done.returncode == 0, done.stderr
    assert "a.jpg: happy" in done.stdout
    assert "b.png: no face" in done.stdout
    assert [event["file"] for event in events(tmp_path / "events")] == ["a.jpg", "b.png"]
    assert sorted(item.name for item in out.iterdir()) == ["a.jpg", "b.png"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    clip = tmp_path / "long.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 480))
    picture = cv2.resize(cv2.imread(str(PHOTOGRAPH)), (640, 480))
    for _ in range(2000):
        writer.write(picture)
    writer.release()
    command = [sys.executable, str(ROOT / "edge/run.py"), "--source", str(clip), "--no-display"]
    outputs = [
        "--record",
        str(tmp_path / "out.mp4"),
        "--events",
        str(tmp_path / "events"),
        "--stats",
        str(tmp_path / "s"),
    ]
    process = subprocess.Popen(
        command + outputs, env=HEADLESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not ((tmp_path / "events").exists() and len((tmp_path / "events").read_text().splitlines()) > 3):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    read = len(events(tmp_path / "events"))
    assert f"{read} frames" in stdout
    assert frames_of(tmp_path / "out.mp4") == read
    assert json.loads((tmp_path / "s").read_text())["frames"] == read < 2000
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("clip", "at_least", "at_most"),
    [("liveportrait_d3.mp4", 0.9, 1), ("pyfeat_no_face.mp4", 0, 0.1), ("3ddfa_obama.mp4", 0.8, 1)],
)
def test_real_clips(tmp_path: Path, clip: str, at_least: float, at_most: float) -> None:
    source = shared(f"media/videos/{clip}")
    done = run("--source", source, "--no-display", "--max-frames", 60, "--events", tmp_path / "events")
    assert done.returncode == 0, done.stderr
    read = events(tmp_path / "events")
    share = sum(bool(event["faces"]) for event in read) / len(read)
    assert at_least <= share <= at_most


def modules_of_a_device() -> list[str]:
    """Every module of edge and benchmarks, and those of train that the benchmarks take."""
    packages = [importlib.import_module(name) for name in ("edge", "benchmarks")]
    found = [
        item.name for package in packages for item in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    assert "edge.backends.litert" in found
    return [*found, "train.data", "train.metrics", "train.evaluate", "train.runs"]


def test_nothing_heavy_is_imported_on_a_device() -> None:
    blocked = ("tensorflow", "keras", "torch", "jax", "sklearn", "matplotlib", "onnx", "onnxruntime", "rich", "scipy")
    program = f"""
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
for module in {modules_of_a_device()!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_opencv_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    environment = {**HEADLESS, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", "from edge.run import main; main()"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "libGL" in done.stderr
    assert "[headless]" in done.stderr


def test_a_full_disk_is_not_silent(tmp_path: Path) -> None:
    arguments = ["--source", "demo", "--max-frames", "60", "--record", str(tmp_path / "o.mp4")]
    limited = shlex.join([sys.executable, str(ROOT / "edge/run.py"), *arguments])
    command = ["bash", "-c", f"ulimit -f 40; {limited}"]
    done = subprocess.run(command, env=HEADLESS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert not list(tmp_path.iterdir())

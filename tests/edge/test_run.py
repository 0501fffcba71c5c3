"""The command itself, as a person starts it."""

from __future__ import annotations

import csv
import importlib
import json
import os
import pkgutil
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge.run
from edge.opencv import cv2
from edge.sources.demo import PHOTOGRAPH
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


def test_several_events_at_once_in_the_form_of_their_names(tmp_path: Path) -> None:
    outputs = ["--events", "e.jsonl", "--events", "e.csv", "--record", "o.mp4"]
    assert run("--source", "demo", "--no-display", "--max-frames", 30, *outputs, cwd=tmp_path).returncode == 0
    faces = [
        (str(event["frame"]), face["emotion"]) for event in events(tmp_path / "e.jsonl") for face in event["faces"]
    ]
    with (tmp_path / "e.csv").open(newline="") as file:
        assert [(row["frame"], row["emotion"]) for row in csv.DictReader(file)] == faces
    assert len(faces) == 30 == frames_of(tmp_path / "o.mp4"), "an output of a recording loses nothing"


def test_realtime_keeps_the_pace_of_life(tmp_path: Path) -> None:
    outputs = ["--stats", "s.json", "--events", "e.jsonl"]
    done = run("--source", "demo", "--realtime", "--no-display", "--max-frames", 15, *outputs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stats, read = json.loads((tmp_path / "s.json").read_text()), events(tmp_path / "e.jsonl")
    assert stats["fps"] < 40  # 30, but the first frame may take longer
    assert stats["lost"] == {"times": 0, "seconds": 0.0}
    last = read[-1]
    assert last["frame"] == 14 + stats["dropped"]
    assert last["time"] == pytest.approx((last["frame"] - read[0]["frame"]) / 30, abs=0.3)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--source demo --resolution 640x480", "expected a camera"),
        ("--source 0 --resolution 640", "as 1280x720"),
        ("--source 0 --resolution 0x480", "as 1280x720"),
        ("--source 0 --fourcc MJ", "four characters"),
        ("--source 0 --fps 0", "above 0"),
        ("--source p --realtime", "--realtime"),
        ("--source p/*.png", "found none"),
        ("--source p/../*/*.jpg --record p", "apart from the pictures"),
        ("--source demo --events a.csv --events ./a.csv", "other outputs"),
        ("--source demo --record a.mp4 --stats a.mp4", "other outputs"),
        ("--source demo --events - --events -", "once"),
        ("--source demo --events nowhere/a.csv --record a.mp4 --stats s.json", "cannot write"),
    ],
)
def test_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, expected: str
) -> None:
    (tmp_path / "p").mkdir()
    shutil.copy(PHOTOGRAPH, tmp_path / "p" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    try:
        status = edge.run.main([*arguments.split(), "--no-display"])
    except SystemExit as ended:  # argparse
        status = ended.code
    stderr = capfd.readouterr().err
    assert (status, stderr.count("\n")) == (2, 1)
    assert expected in stderr
    assert [str(item.relative_to(tmp_path)) for item in sorted(tmp_path.rglob("*"))] == ["p", "p/a.jpg"]


def test_an_output_that_fails_leaves_the_others_whole(tmp_path: Path) -> None:
    done = run("--source", "demo", "--no-display", "--events", "/dev/full", "--record", "o.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write events to /dev/full")
    assert done.stderr.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["o.mp4"]
    assert frames_of(tmp_path / "o.mp4") > 0


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


def test_a_damaged_picture_among_others_is_skipped_named_and_told_by_the_status(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "c.jpg"):
        cv2.imwrite(str(folder / name), cv2.imread(str(PHOTOGRAPH)))
    (folder / "b.jpg").write_text("no picture")
    done = run("--source", folder, "--no-display", "--events", tmp_path / "e", "--stats", tmp_path / "s")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "b.jpg" in done.stderr
    assert [event["file"] for event in events(tmp_path / "e")] == ["a.jpg", "c.jpg"]
    assert json.loads((tmp_path / "s").read_text())["skipped"] == 1


def test_a_clip_that_ends_before_its_time_is_told(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for _ in range(60):
        writer.write(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8))
    writer.release()
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    done = run("--source", clip, "--no-display", "--events", tmp_path / "e")
    assert "of the 60 frames it announces" in done.stderr
    assert 0 < len(events(tmp_path / "e")) < 57


@pytest.mark.parametrize("option", ["--events", "--stats"])
@pytest.mark.parametrize("name", ["a.jpg", "model.tflite", "clip.mp4"])
def test_no_text_goes_where_pictures_models_and_videos_are(tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / name).write_bytes(b"dear")
    done = run("--source", "demo", "--no-display", option, tmp_path / name)
    assert done.returncode == 2
    assert "unlike a picture's" in done.stderr
    assert (tmp_path / name).read_bytes() == b"dear"

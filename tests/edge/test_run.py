"""Specify the runs that a user starts: sources, outputs, signals and failures."""

from __future__ import annotations

import csv
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge.opencv import cv2
from edge.sinks.encoders import best_suffix
from edge.sources.demo import PHOTOGRAPH
from tests.conftest import ROOT, shared
from tests.edge.command import HEADLESS, read_events, run
from tests.edge.samples import count_frames


def write_video(path: Path, images: Iterable[np.ndarray]) -> None:
    """Write a video of 25 FPS."""
    writer = None
    for image in images:
        height, width = image.shape[:2]
        writer = writer or cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
        writer.write(image)
    assert writer is not None
    writer.release()


def test_the_demo_without_a_display_prints_and_records(tmp_path: Path) -> None:
    done = run("--source", "demo", "--max-frames", 20, "--stats", "stats.json", "--events", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *_ = done.stdout.splitlines()
    assert "no display" in first
    assert f"demo{best_suffix()}" in first
    assert "face 1: happy" in done.stdout
    assert count_frames(tmp_path / f"demo{best_suffix()}") == 20
    events = read_events(tmp_path / "e.jsonl")
    assert [event["frame"] for event in events] == list(range(20))
    assert all(len(event["faces"]) == 1 for event in events)
    stats = json.loads((tmp_path / "stats.json").read_text())
    assert stats["frames"] == 20
    assert stats["fps"] > 0
    assert {"capture", "detect", "classify", "draw"} <= set(stats["stages_ms"])
    assert stats["age_ms"]["p50"] >= stats["stages_ms"]["detect"]["p50"]
    assert (stats["dropped"], stats["threads"], stats["backend"]) == (0, 1, "ai-edge-litert")


def test_the_demo_has_one_happy_face_throughout(tmp_path: Path) -> None:
    assert run("--source", "demo", "--no-display", "--events", tmp_path / "events").returncode == 0
    faces = [event["faces"] for event in read_events(tmp_path / "events")]
    assert [len(faces_of_frame) for faces_of_frame in faces] == [1] * 300
    assert {face["id"] for (face,) in faces} == {1}
    assert sum(face["emotion"] == "happy" for (face,) in faces) > 270


def test_the_same_clip_gives_the_same_events_byte_for_byte(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run("--source", "demo", "--max-frames", 40, "--no-display", "--events", tmp_path / name).returncode == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_folder_of_pictures_is_read_one_by_one(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    out = tmp_path / "out"
    folder.mkdir()
    picture = cv2.imread(str(PHOTOGRAPH))
    cv2.imwrite(str(folder / "a.jpg"), picture)
    cv2.imwrite(str(folder / "b.png"), picture[300:])
    done = run("--source", folder, "--no-display", "--record", out, "--events", tmp_path / "events")
    assert done.returncode == 0, done.stderr
    assert "a.jpg: happy" in done.stdout
    assert "b.png: no face" in done.stdout
    assert [event["file"] for event in read_events(tmp_path / "events")] == ["a.jpg", "b.png"]
    assert sorted(item.name for item in out.iterdir()) == ["a.jpg", "b.png"]


def test_the_format_of_events_follows_the_file_name(tmp_path: Path) -> None:
    outputs = ["--events", "e.jsonl", "--events", "e.csv", "--record", "o.avi"]
    assert run("--source", "demo", "--no-display", "--max-frames", 30, *outputs, cwd=tmp_path).returncode == 0
    faces = [
        (str(event["frame"]), face["emotion"]) for event in read_events(tmp_path / "e.jsonl") for face in event["faces"]
    ]
    with (tmp_path / "e.csv").open(newline="") as file:
        assert [(row["frame"], row["emotion"]) for row in csv.DictReader(file)] == faces
    assert len(faces) == 30 == count_frames(tmp_path / "o.avi"), "an output of a recording loses nothing"


def test_realtime_plays_at_the_speed_of_the_recording(tmp_path: Path) -> None:
    outputs = ["--stats", "s.json", "--events", "e.jsonl"]
    done = run("--source", "demo", "--realtime", "--no-display", "--max-frames", 15, *outputs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stats = json.loads((tmp_path / "s.json").read_text())
    events = read_events(tmp_path / "e.jsonl")
    assert stats["fps"] < 40  # 30, but the first frame may take longer
    assert stats["lost"] == {"times": 0, "seconds": 0.0}
    first, *_, last = events
    assert last["frame"] == 14 + stats["dropped"]
    played_s = (last["frame"] - first["frame"]) / 30
    assert last["time"] > played_s - 0.3, "no quicker than the recording; a busy machine may be slower"


def test_a_failed_output_leaves_the_others_complete(tmp_path: Path) -> None:
    done = run("--source", "demo", "--no-display", "--events", "/dev/full", "--record", "o.avi", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write events to /dev/full")
    assert done.stderr.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["o.avi"]
    assert count_frames(tmp_path / "o.avi") > 0


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a clip of 3000 frames, which takes some seconds to process."""
    path = tmp_path_factory.mktemp("clip") / "long.avi"
    write_video(path, [cv2.resize(cv2.imread(str(PHOTOGRAPH)), (160, 120))] * 3000)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_the_run_with_complete_outputs(tmp_path: Path, long_clip: Path, number: signal.Signals) -> None:
    arguments = ["edge/run.py", long_clip, "--no-display", "--record", tmp_path / "out.avi"]
    arguments += ["--events", tmp_path / "events", "--stats", tmp_path / "stats"]
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=HEADLESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline_s = time.monotonic() + 60
    while not ((tmp_path / "events").exists() and len((tmp_path / "events").read_text().splitlines()) > 3):
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 0, stderr
    count = len(read_events(tmp_path / "events"))
    assert count < 3000, "the clip ended before the signal arrived"
    assert f"{count} frames" in stdout
    assert count_frames(tmp_path / "out.avi") == count
    assert json.loads((tmp_path / "stats").read_text())["frames"] == count
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("clip", "at_least", "at_most"),
    [("liveportrait_d3.mp4", 0.9, 1), ("pyfeat_no_face.mp4", 0, 0.1), ("3ddfa_obama.mp4", 0.8, 1)],
)
def test_faces_are_found_in_real_clips(tmp_path: Path, clip: str, at_least: float, at_most: float) -> None:
    source = shared(f"media/videos/{clip}")
    done = run("--source", source, "--no-display", "--max-frames", 60, "--events", tmp_path / "events")
    assert done.returncode == 0, done.stderr
    events = read_events(tmp_path / "events")
    share = sum(bool(event["faces"]) for event in events) / len(events)
    assert at_least <= share <= at_most


def test_a_full_disk_is_an_error_and_leaves_what_plays(tmp_path: Path) -> None:
    arguments = ["--source", "demo", "--max-frames", "60", "--record", str(tmp_path / "o.avi")]
    limited = shlex.join([sys.executable, str(ROOT / "edge/run.py"), *arguments])
    command = ["bash", "-c", f"ulimit -f 800; {limited}"]
    done = subprocess.run(command, env=HEADLESS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "s are kept" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [item.name for item in tmp_path.iterdir()] == ["o.avi"]
    assert count_frames(tmp_path / "o.avi") > 3


def test_a_damaged_picture_is_skipped_and_reported_by_name_and_status(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "c.jpg"):
        cv2.imwrite(str(folder / name), cv2.imread(str(PHOTOGRAPH)))
    (folder / "b.jpg").write_text("no picture")
    done = run("--source", folder, "--no-display", "--events", tmp_path / "e", "--stats", tmp_path / "s")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "b.jpg" in done.stderr
    assert [event["file"] for event in read_events(tmp_path / "e")] == ["a.jpg", "c.jpg"]
    assert json.loads((tmp_path / "s").read_text())["skipped"] == 1


def test_a_video_that_ends_too_early_is_reported(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    write_video(clip, [np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)] * 60)
    data = clip.read_bytes()
    half = len(data) // 2
    clip.write_bytes(data[:half] + bytes(len(data) - half))
    done = run("--source", clip, "--no-display", "--events", tmp_path / "e")
    assert "of the 60 frames it announces" in done.stderr
    assert 0 < len(read_events(tmp_path / "e")) < 57

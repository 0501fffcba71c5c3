"""Specify the recordings: they keep the times of their frames, play in a browser, and survive what stops them."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from edge.errors import EmotionError, OutputError, UsageError
from edge.opencv import cv2
from edge.sinks import encoders
from edge.sinks.recording import Recording
from edge.sinks.unfinished import Unfinished, abandoned
from edge.sinks.video import VideoFile
from edge.values import Frame
from tests import chromium
from tests.conftest import ROOT
from tests.edge.samples import count_frames, make_context, make_frame

GREEN = (80, 160, 40)  # BGR
NEEDS_PYAV = pytest.mark.skipif(not encoders.has_pyav(), reason="needs PyAV (pip install '.[record]')")
NEEDS_POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")
FORMATS = [pytest.param(".mp4", marks=NEEDS_PYAV), ".webm", ".mkv", ".avi"]


def use_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode as if PyAV were not installed."""
    monkeypatch.setattr(encoders, "has_pyav", lambda: False)


def record(path: Path, times: list[float], fps: float = 25.0) -> None:
    """Write a frame for each time: noise, which is hard to compress, below a green half."""
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    noise[:60] = GREEN
    with VideoFile(str(path), make_context(fps=fps)) as sink:
        for i, time_s in enumerate(times):
            sink.write(Frame(i, time_s, 0.0, np.roll(noise, 8 * i, axis=1)), [])


def read_times(path: Path) -> list[float]:
    """Return the times of a video's frames in seconds."""
    video = cv2.VideoCapture(str(path))
    times = []
    while video.read()[0]:
        times.append(video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    return times


@pytest.mark.parametrize(
    ("times", "expected", "reason"),
    [
        ([i / 25 for i in range(10)], 10, "a file: one for one"),
        ([i / 10 for i in range(5)], 11, "a loop of 10 FPS: frames repeat, 0.4 s stay 0.4 s"),
        ([i / 100 for i in range(41)], 11, "a loop of 100 FPS: frames are left out"),
    ],
)
@pytest.mark.parametrize("suffix", [".avi", ".webm"])
def test_opencv_repeats_and_leaves_out_frames_to_keep_the_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    suffix: str,
    times: list[float],
    expected: int,
    reason: str,
) -> None:
    use_opencv(monkeypatch)
    record(tmp_path / f"out{suffix}", times)
    assert count_frames(tmp_path / f"out{suffix}") == expected, reason
    assert [item.name for item in tmp_path.iterdir()] == [f"out{suffix}"]
    assert capfd.readouterr().err == ""


@NEEDS_PYAV
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_pyav_keeps_the_time_of_each_frame(tmp_path: Path, suffix: str) -> None:
    times = [0.0, 0.1, 0.5, 0.52, 60.0, 150.0]  # a variable rate, a time-lapse
    record(tmp_path / f"out{suffix}", times, fps=1000)
    assert read_times(tmp_path / f"out{suffix}") == pytest.approx(times, abs=0.002)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_video_keeps_the_frames_before_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with contextlib.suppress(RuntimeError), VideoFile(str(path), make_context()) as sink:
        sink.write(make_frame(), [])
        raise RuntimeError
    assert count_frames(path) == 1


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with VideoFile(str(tmp_path / "out.avi"), make_context()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_changes_its_resolution_is_recorded_at_the_first(tmp_path: Path) -> None:
    with VideoFile(str(tmp_path / "out.webm"), make_context()) as sink:
        for i, shape in enumerate([(120, 161, 3), (48, 64, 3)]):  # an odd width too
            sink.write(Frame(i, i / 25, 0.0, np.zeros(shape, dtype=np.uint8)), [])
    assert count_frames(tmp_path / "out.webm") == 2


PROGRAM = """
import os, resource, sys
from pathlib import Path
from tests.edge.test_recording import record
from edge.sinks.video import VideoFile
path, end, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if end == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
else:
    VideoFile.__exit__ = lambda *_: os.kill(os.getpid(), 9)
record(path, [i / 25 for i in range(count)])
"""


def run_to_the_end(path: Path, end: str, count: int = 300) -> subprocess.CompletedProcess[str]:
    """Record so many frames in another process, which is killed or may write no more than 600 kB."""
    command = [sys.executable, "-c", PROGRAM, str(path), end, str(count)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@NEEDS_POSIX
@pytest.mark.parametrize("suffix", [pytest.param(".mp4", marks=NEEDS_PYAV), ".webm", ".avi"])
def test_a_killed_recording_plays_and_is_named_at_the_next_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    assert run_to_the_end(tmp_path / f"out{suffix}", "kill").returncode == -9
    (leftover,) = tmp_path.iterdir()
    assert count_frames(leftover) > 150
    record(tmp_path / f"out{suffix}", [0.0])
    assert f"found {leftover}, a recording that was cut off" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [leftover, tmp_path / f"out{suffix}"]


@NEEDS_POSIX
@pytest.mark.parametrize(
    ("suffix", "said_by"),
    [
        pytest.param(".mp4", "write", marks=NEEDS_PYAV),
        pytest.param(".mkv", "write", marks=NEEDS_PYAV),
        (".avi", "__exit__"),  # OpenCV reports no errors: a limit is found at the end
    ],
)
def test_what_plays_is_kept_when_the_file_cannot_grow(tmp_path: Path, suffix: str, said_by: str) -> None:
    done = run_to_the_end(tmp_path / f"out{suffix}", "limit")
    assert f"in {said_by}\n    raise self._failure" in done.stderr
    assert f"OutputError: cannot write {tmp_path / 'out'}{suffix}" in done.stderr
    assert "s are kept" in done.stderr
    assert [item.name for item in tmp_path.iterdir()] == [f"out{suffix}"]
    assert count_frames(tmp_path / f"out{suffix}") > 3


def test_opencv_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_opencv(monkeypatch)
    free = iter([2_000_000] * 20 + [200_000])
    monkeypatch.setattr(encoders.shutil, "disk_usage", lambda _: Mock(free=next(free)))
    with pytest.raises(OutputError, match=r"out\.webm: No space left on device; about 0\.8 s are kept"):
        record(tmp_path / "out.webm", [i / 25 for i in range(60)])
    assert count_frames(tmp_path / "out.webm") == 20


def test_a_recording_in_progress_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    leftover = tmp_path / f".out.{os.getpid()}.mkv"  # in a container, each process may have the same number
    leftover.write_bytes(b"mine")
    (tmp_path / ".out.1.mkv").mkdir()  # no recording, and neither is a FIFO, at which opening would wait
    unfinished = Unfinished(tmp_path / "out.mkv")
    assert list(abandoned(tmp_path, {".mkv"})) == [leftover]
    unfinished.publish()
    assert leftover.read_bytes() == b"mine"


def test_without_pyav_mp4_is_refused_and_the_demo_is_webm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_opencv(monkeypatch)
    assert encoders.best_suffix() == ".webm"
    with pytest.raises(EmotionError, match=r"needs PyAV.*\.webm.*pip install '\.\[record\]'"):
        VideoFile(str(tmp_path / "out.mp4"), make_context())


@NEEDS_POSIX
@NEEDS_PYAV
def test_names_that_are_no_text_are_recorded_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    record(path, [0.0])
    assert [os.fsencode(item.name) for item in tmp_path.iterdir()] == [b"caf\xe9.mp4"]
    use_opencv(monkeypatch)
    with pytest.raises(UsageError, match="UTF-8"):
        VideoFile(str(path.with_suffix(".webm")), make_context())


def test_pictures_are_recorded_as_pictures_under_their_names(tmp_path: Path) -> None:
    with Recording(str(tmp_path / "out"), make_context(independent=True)) as sink:
        sink.write(make_frame(name="a.png"), [])
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["a.png"]
    with pytest.raises(UsageError, match="expected a folder"):
        Recording(str(tmp_path / "out.mp4"), make_context(independent=True))


@pytest.fixture(scope="module")
def page() -> Iterator[chromium.Page]:
    """Open a blank page in a real browser."""
    with chromium.open_page() as opened:
        yield opened


PLAY = """new Promise(done => {
    const video = document.createElement('video')
    video.muted = true
    video.playbackRate = 8
    video.onerror = () => done({error: video.error.message})
    video.onended = () => {
        const canvas = document.createElement('canvas').getContext('2d')
        canvas.drawImage(video, 0, 0)
        const [red, green, blue] = canvas.getImageData(80, 30, 1, 1).data
        done({seconds: video.duration, width: video.videoWidth, colour: [blue, green, red]})
    }
    video.src = '%s'
    video.play()
})"""


@pytest.mark.parametrize(
    ("suffix", "opencv", "killed"),
    [
        pytest.param(".mp4", False, False, marks=NEEDS_PYAV),
        pytest.param(".mp4", False, True, marks=[NEEDS_PYAV, NEEDS_POSIX]),
        pytest.param(".webm", False, False, marks=NEEDS_PYAV),
        (".webm", True, False),
    ],
)
def test_a_browser_plays_the_recording(
    page: chromium.Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, opencv: bool, killed: bool
) -> None:
    path = tmp_path / f"out{suffix}"
    if opencv:
        use_opencv(monkeypatch)
    if killed:
        run_to_the_end(path, "kill", count=75)
        (path,) = tmp_path.iterdir()
    else:
        record(path, [i / 25 for i in range(50)])
    played = page.evaluate(PLAY % f"data:video/{suffix[1:]};base64,{base64.b64encode(path.read_bytes()).decode()}")
    assert played.get("error") is None
    assert played["seconds"] > 2 if killed else played["seconds"] == pytest.approx(2, abs=0.05)
    assert played["width"] == 160
    assert played["colour"] == pytest.approx(GREEN, abs=12)

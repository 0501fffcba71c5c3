"""Specify the recordings: a video in real time, complete or not there at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from edge.errors import UsageError
from edge.sinks.recording import Recording
from edge.sinks.video import VideoFile
from tests.edge.samples import count_frames, make_context, make_frame


@pytest.mark.parametrize(
    ("times", "expected", "reason"),
    [
        ([i / 25 for i in range(10)], 10, "a file: one for one"),
        ([i / 10 for i in range(5)], 11, "a loop of 10 FPS: frames repeat, 0.4 s stay 0.4 s"),
        ([i / 100 for i in range(41)], 11, "a loop of 100 FPS: frames are left out"),
    ],
)
def test_a_video_plays_in_real_time(tmp_path: Path, times: list[float], expected: int, reason: str) -> None:
    path = tmp_path / "out.avi"
    with VideoFile(str(path), make_context()) as sink:
        for i, time_s in enumerate(times):
            sink.write(make_frame(i, time_s), [])
    assert count_frames(path) == expected, reason
    assert [item.name for item in tmp_path.iterdir()] == ["out.avi"]


def test_a_video_keeps_the_frames_before_an_error(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with contextlib.suppress(RuntimeError), VideoFile(str(path), make_context()) as sink:
        sink.write(make_frame(), [])
        raise RuntimeError
    assert count_frames(path) == 1


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with VideoFile(str(tmp_path / "out.mp4"), make_context()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_recorded_as_pictures_under_their_names(tmp_path: Path) -> None:
    with Recording(str(tmp_path / "out"), make_context(independent=True)) as sink:
        sink.write(make_frame(name="a.png"), [])
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["a.png"]
    with pytest.raises(UsageError, match="expected a folder"):
        Recording(str(tmp_path / "out.mp4"), make_context(independent=True))

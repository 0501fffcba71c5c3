from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import camera
from edge.camera import open_source
from edge.errors import SourceError
from edge.opencv import cv2


class FakeCapture:
    """A device that gives a frame whenever it is told to; the frame's first pixel is its number."""

    def __init__(self, frames: int, stalls: bool = False) -> None:
        self.frames, self.stalls = frames, stalls
        self.given = 0
        self.released = threading.Event()
        self.all_given = threading.Event()

    def isOpened(self) -> bool:
        return True

    def get(self, _: int) -> float:
        return 30.0

    def set(self, *_: Any) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        if self.given == self.frames:
            self.all_given.set()
            if self.stalls:
                self.released.wait(10)
            return False, None
        self.given += 1
        return True, np.full((4, 4, 3), self.given, dtype=np.uint8)

    def release(self) -> None:
        self.released.set()


def open_fake(monkeypatch: pytest.MonkeyPatch, fake: FakeCapture) -> camera.Source:
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: fake)
    return open_source("0")


def test_the_newest_frame_wins_and_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCapture(frames=50)
    source = open_fake(monkeypatch, fake)
    assert fake.all_given.wait(5)
    frame = next(iter(source))
    assert frame.image[0, 0, 0] == 50
    assert frame.index == 49
    assert source.dropped == 49
    source.close()
    assert fake.released.is_set()


def test_a_camera_that_ends_is_an_error_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_fake(monkeypatch, FakeCapture(frames=1))
    with pytest.raises(SourceError, match="ended"):
        list(source)


def test_a_camera_that_stalls_is_an_error_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "STALLED_S", 0.2)
    fake = FakeCapture(frames=1, stalls=True)
    source = open_fake(monkeypatch, fake)
    start = time.monotonic()
    with pytest.raises(SourceError, match="gave no frame"):
        list(source)
    assert time.monotonic() - start < 5
    fake.released.set()
    source.close()


def test_a_camera_that_was_never_there_names_those_that_are() -> None:
    with pytest.raises(SourceError, match="cameras on this machine"):
        open_source("97")


def test_the_demo_is_the_same_each_time_and_moves() -> None:
    first, second = (list(open_source("demo")) for _ in range(2))
    assert len(first) == camera.DEMO_FRAMES
    assert all((a.image == b.image).all() for a, b in zip(first, second, strict=True))
    assert first[0].image.shape == (480, 640, 3)
    assert np.abs(first[0].image.astype(int) - first[80].image).mean() > 10
    assert first[30].time_s == pytest.approx(1.0)


def make_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), 10 * i, dtype=np.uint8))
    writer.release()
    return path


def test_a_video_gives_every_frame_in_order(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 12))) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    assert [round(frame.image.mean() / 10) for frame in frames] == list(range(12))
    assert all(frame.name is None for frame in frames)


def test_pictures_come_in_the_order_of_their_names_with_them(tmp_path: Path) -> None:
    for name, value in (("b.png", 2), ("a.jpg", 1), ("c.PNG", 3)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 10 * value, dtype=np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(str(tmp_path)) as source:
        assert [(frame.name, int(frame.image[0, 0, 0])) for frame in source] == [
            ("a.jpg", 10),
            ("b.png", 20),
            ("c.PNG", 30),
        ]
        assert source.independent


def test_paced_frames_take_as_long_as_the_clip(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 6))) as source:
        start = time.monotonic()
        assert len(list(camera.paced(source))) == 6
        assert time.monotonic() - start >= 5 / 25

"""Share frames, readings and a sink that remembers what was written to it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.sinks.base import Delivery, Sink, SinkContext
from edge.stopping import Stop
from edge.values import Box, EmotionProbabilities, Face, Frame, Reading

BOX = Box(20, 30, 60, 60)
OUTAGE = "camera lost: no frame for 2 s, reopening"


def make_reading(box: Box = BOX) -> Reading:
    """Return a reading that is happy with 70%."""
    probabilities = EmotionProbabilities(dict.fromkeys(EMOTIONS, 0.05) | {"happy": 0.7})
    return Reading(1, Face(box, 0.98), probabilities)


def make_frame(index: int = 0, time_s: float = 0.0, name: str | None = None) -> Frame:
    """Return a grey frame of 160x120."""
    return Frame(index, time_s, 0.0, np.full((120, 160, 3), 90, dtype=np.uint8), name)


def make_lost_frame(index: int = 0, time_s: float = 0.0) -> Frame:
    """Return a frame of a lost camera."""
    return replace(make_frame(index, time_s), error=OUTAGE)


def make_context(independent: bool = False, fps: float = 25.0, stop: Stop | None = None) -> SinkContext:
    """Return the context of a recording."""
    return SinkContext(EMOTIONS, fps, False, independent, stop or Stop())


def replace_windows(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Replace OpenCV's windows; return the list of the images that are shown from now on."""
    shown: list[np.ndarray] = []
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1)
    return shown


def make_video(path: Path, frames: int, step: int = 10) -> Path:
    """Write a clip of 25 FPS whose frame i has the grey level i * step."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), step * i, dtype=np.uint8))
    writer.release()
    return path


def count_frames(path: Path) -> int:
    """Return the number of frames that can be decoded."""
    video = cv2.VideoCapture(str(path))
    count = 0
    while video.read()[0]:
        count += 1
    return count


def write_frames(sink: Sink, count: int) -> None:
    """Enter the sink, write frames and leave it."""
    with sink:
        for i in range(count):
            sink.write(make_frame(i), [])


class MemorySink(Sink):
    """Keep the frames; `blocks` until `release` is set, or `raises` at each write."""

    name = "memory"
    needs_picture = True

    def __init__(
        self, blocks: bool = False, raises: Exception | None = None, delivery: Delivery = Delivery.EVERY_FRAME
    ) -> None:
        self.delivery = delivery
        self.frames: list[Frame] = []
        self.writing = threading.Event()
        self.release = threading.Event()
        self.is_closed = False
        self._raises = raises
        if not blocks:
            self.release.set()

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        self.writing.set()
        self.release.wait(20)
        if self._raises:
            raise self._raises
        self.frames.append(frame)

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

"""Print readings for people: a line when something changes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO

from edge.sinks.base import Sink, SinkContext
from edge.values import Frame, Reading

STANDARD_OUTPUT = "standard output"
MAX_REMEMBERED_FACES = 100


def open_standard_output() -> IO[str]:
    """Open standard output as a separate file: a thread stuck in writing must not hold the lock of sys.stdout."""
    sys.stdout.flush()
    return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="")


class Console(Sink):
    """Print a line when a face appears or its emotion changes, or the camera is lost or back; one for each picture."""

    name = STANDARD_OUTPUT

    def __init__(self, target: str, context: SinkContext) -> None:
        self._emotions: dict[int, str] = {}  # face id -> emotion printed last
        self._lost_since_s: float | None = None  # in the source's time

    def __enter__(self) -> Console:
        self._file = open_standard_output()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        lines = self._picture(frame, readings) if frame.name else self._changes(frame, readings)
        for line in lines:
            self._file.write(line + "\n")
        self._file.flush()

    def _picture(self, frame: Frame, readings: Sequence[Reading]) -> Iterator[str]:
        emotions = ", ".join(f"{reading.emotion} {reading.confidence:.0%}" for reading in readings)
        yield f"{frame.name}: {emotions or 'no face'}"

    def _changes(self, frame: Frame, readings: Sequence[Reading]) -> Iterator[str]:
        yield from self._camera(frame)
        for reading in readings:
            if self._emotions.get(reading.id) != reading.emotion:
                yield f"{frame.time_s:7.2f} s  face {reading.id}: {reading.emotion} {reading.confidence:.0%}"
            self._emotions[reading.id] = reading.emotion
        while len(self._emotions) > MAX_REMEMBERED_FACES:  # ids are never reused: forget the oldest
            del self._emotions[next(iter(self._emotions))]

    def _camera(self, frame: Frame) -> Iterator[str]:
        """Report once that the camera is lost, and once that it is back."""
        if frame.error and self._lost_since_s is None:
            self._lost_since_s = frame.time_s
            yield f"{frame.time_s:7.2f} s  {frame.error}"
        elif not frame.error and self._lost_since_s is not None:
            yield f"{frame.time_s:7.2f} s  camera back after {frame.time_s - self._lost_since_s:.1f} s"
            self._lost_since_s = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # a failed flush was already reported by write
            self._file.close()

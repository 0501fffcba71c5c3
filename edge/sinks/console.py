"""Print readings for people: a line when something changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType

from edge.sinks.base import Sink, SinkContext
from edge.sinks.outlet import STANDARD_OUTPUT, Outlet
from edge.untrusted import printable, utf8
from edge.values import Frame, Reading

MAX_REMEMBERED_FACES = 100


class Console(Sink):
    """Print a line when a face appears or its emotion changes, or the camera is lost or back; one for each picture."""

    name = STANDARD_OUTPUT

    def __init__(self, target: str, context: SinkContext) -> None:
        self._emotions: dict[int, str] = {}  # face id -> emotion printed last
        self._lost_since_s: float | None = None  # in the source's time
        self._outlet = Outlet("-", context.stop, _terminal_encoding())

    def __enter__(self) -> Console:
        self._outlet.open()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        lines = self._picture(frame, readings) if frame.name else self._changes(frame, readings)
        for line in lines:
            self._outlet.write(line + "\n")

    def _picture(self, frame: Frame, readings: Sequence[Reading]) -> Iterator[str]:
        emotions = ", ".join(f"{reading.emotion} {reading.confidence:.0%}" for reading in readings)
        yield f"{printable(utf8(frame.name or ''))}: {emotions or 'no face'}"

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
        self._outlet.close()


def _terminal_encoding() -> str:
    """Return the encoding of the terminal or, if standard output is none, the one that Python chose."""
    return os.device_encoding(1) or getattr(sys.stdout, "encoding", None) or "utf-8"

"""JSON lines, one a frame, for programs; and what a person reads in a terminal."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from edge.errors import OutputError
from edge.values import Frame, Reading


def event(frame: Frame, readings: Sequence[Reading]) -> dict[str, Any]:
    """The JSON object of a frame, as DESIGN says: box in pixels, time in seconds, probabilities by emotion."""
    faces = [
        {
            "id": reading.id,
            "box": [reading.face.box.x, reading.face.box.y, reading.face.box.width, reading.face.box.height],
            "score": round(reading.face.score, 4),
            "emotion": reading.emotion,
            "confidence": round(reading.confidence, 4),
            "probabilities": {
                name: round(float(value), 4) for name, value in zip(reading.labels, reading.probabilities, strict=True)
            },
        }
        for reading in readings
    ]
    named = {"file": frame.name} if frame.name else {}
    return {"frame": frame.index, "time": round(frame.time_s, 4), **named, "faces": faces}


class Events:
    """A line a frame to a file or, with `-`, to standard output; each line is complete as soon as it is there."""

    wants_picture = False

    def __init__(self, target: str) -> None:
        self._target = target
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Events:
        self._file: IO[str] = sys.stdout
        if self._target != "-":
            try:
                self._file = self._closing.enter_context(Path(self._target).open("w", encoding="utf-8"))
            except OSError as error:
                raise OutputError(f"cannot write {self._target}: {error.strerror}; choose another place") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        try:
            self._file.write(json.dumps(event(frame, readings)) + "\n")
            self._file.flush()
        except BrokenPipeError:  # the reader has had enough, as in `| head`
            raise
        except OSError as error:
            raise OutputError(f"cannot write events to {self._target}: {error.strerror}") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._closing.close()  # flushes once more
        except OSError as failed:
            if kind is None:
                raise OutputError(f"cannot write events to {self._target}: {failed.strerror}") from failed


class Console:
    """A line where a face appears or changes its emotion; for pictures, a line each."""

    wants_picture = False

    def __init__(self) -> None:
        self._shown: dict[int, str] = {}

    def __enter__(self) -> Console:
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if frame.name:
            seen = ", ".join(f"{reading.emotion} {reading.confidence:.0%}" for reading in readings)
            print(f"{frame.name}: {seen or 'no face'}", flush=True)
            return
        for reading in readings:
            if self._shown.get(reading.id) != reading.emotion:
                print(
                    f"{frame.time_s:7.2f} s  face {reading.id}: {reading.emotion} {reading.confidence:.0%}", flush=True
                )
            self._shown[reading.id] = reading.emotion
        while len(self._shown) > 100:  # ids never come twice: forget the oldest
            del self._shown[next(iter(self._shown))]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

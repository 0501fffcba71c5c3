"""What is read in each frame, for programs: JSON lines or CSV; and what a person reads in a terminal."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from edge.errors import OutputError
from edge.values import Frame, Reading

FACE_COLUMNS = ("id", "x", "y", "width", "height", "score", "emotion", "confidence")


def event(frame: Frame, readings: Sequence[Reading]) -> dict[str, Any]:
    """The JSON object of a frame, as DESIGN says: box in pixels, time in seconds, probabilities by emotion.

    `trouble` is there, and faces are not, while the camera is lost.
    """
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
    trouble = {"trouble": frame.error} if frame.error else {}
    return {"frame": frame.index, "time": round(frame.time_s, 4), **named, "faces": faces, **trouble}


def rows(frame: Frame, readings: Sequence[Reading], labels: Sequence[str]) -> list[list[Any]]:
    """The CSV rows of a frame, one a face, with the values of `event`; without faces, one row with nothing in between.

    `labels` are the emotions in the columns' order; the last columns are a picture's file and a lost camera's trouble.
    """
    seen = event(frame, readings)
    faces = [
        [face["id"], *face["box"], face["score"], face["emotion"], face["confidence"]]
        + [face["probabilities"].get(label) for label in labels]
        for face in seen["faces"]
    ]
    nothing = [None] * (len(FACE_COLUMNS) + len(labels))
    return [[seen["frame"], seen["time"], *face, frame.name, frame.error] for face in faces or [nothing]]


def _standard_output() -> IO[str]:
    """Standard output through a file of its own: a thread that is stuck in it must not hold sys.stdout's lock."""
    sys.stdout.flush()
    return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="")


class Events:
    """A line a frame to a file or, with `-`, to standard output; each line is complete as soon as it is there.

    JSON, or CSV where the name ends in .csv: a row a face, `labels` in the columns' order.
    """

    wants_picture = False

    def __init__(self, target: str, labels: Sequence[str]) -> None:
        self.name = "standard output" if target == "-" else target
        self._target, self._labels = target, labels
        self._is_csv = target.lower().endswith(".csv")

    def __enter__(self) -> Events:
        try:
            self._file = _standard_output() if self._target == "-" else Path(self._target).open("w", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {self._target}: {error.strerror}; choose another place") from error
        if self._is_csv:
            self._put(_csv([["frame", "time", *FACE_COLUMNS, *self._labels, "file", "trouble"]]))
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._is_csv:
            self._put(_csv(rows(frame, readings, self._labels)))
        else:
            self._put(json.dumps(event(frame, readings)) + "\n")

    def _put(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:  # the reader has had enough, as in `| head`
            raise
        except OSError as error:
            raise OutputError(f"cannot write events to {self.name}: {error.strerror}") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._file.close()  # flushes once more
        except OSError as failed:
            if kind is None:
                raise OutputError(f"cannot write events to {self.name}: {failed.strerror}") from failed


def _csv(lines: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


class Console:
    """A line where a face appears or changes its emotion, or the camera is lost or back; for pictures, a line each."""

    wants_picture = False
    name = "standard output"

    def __init__(self) -> None:
        self._shown: dict[int, str] = {}
        self._lost_s: float | None = None  # since when, in the source's time

    def __enter__(self) -> Console:
        self._file = _standard_output()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        for line in self._lines(frame, readings):
            self._file.write(line + "\n")
        self._file.flush()

    def _lines(self, frame: Frame, readings: Sequence[Reading]) -> Iterator[str]:
        if frame.name:
            seen = ", ".join(f"{reading.emotion} {reading.confidence:.0%}" for reading in readings)
            yield f"{frame.name}: {seen or 'no face'}"
            return
        yield from self._camera(frame)
        for reading in readings:
            if self._shown.get(reading.id) != reading.emotion:
                yield f"{frame.time_s:7.2f} s  face {reading.id}: {reading.emotion} {reading.confidence:.0%}"
            self._shown[reading.id] = reading.emotion
        while len(self._shown) > 100:  # ids never come twice: forget the oldest
            del self._shown[next(iter(self._shown))]

    def _camera(self, frame: Frame) -> Iterator[str]:
        """The camera's loss and its return, each once."""
        if frame.error and self._lost_s is None:
            self._lost_s = frame.time_s
            yield f"{frame.time_s:7.2f} s  {frame.error}"
        elif not frame.error and self._lost_s is not None:
            yield f"{frame.time_s:7.2f} s  camera back after {frame.time_s - self._lost_s:.1f} s"
            self._lost_s = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # what could not be flushed has been told by write
            self._file.close()

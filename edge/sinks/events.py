"""Write readings for programs: JSON lines or CSV. docs/command-line.md describes the fields."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.backend import BACKENDS
from edge.errors import OutputError, UsageError
from edge.sinks.base import Sink, SinkContext
from edge.sinks.outlet import STANDARD_OUTPUTS, Outlet
from edge.sources.pictures import PICTURE_SUFFIXES
from edge.untrusted import utf8
from edge.values import Frame, Reading

VIDEO_SUFFIXES = {".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv"}
INPUT_SUFFIXES = {*PICTURE_SUFFIXES, *VIDEO_SUFFIXES, *BACKENDS, ".keras"}
FACE_COLUMNS = ("id", "x", "y", "width", "height", "score", "emotion", "confidence")


def check_text_file(option: str, path: Path) -> None:
    """Raise UsageError if the name is that of a picture, video or model: a slip must not overwrite one with text."""
    if path.suffix.lower() in INPUT_SUFFIXES:
        raise UsageError(f"expected {option} with a text file's name, such as .jsonl, .json or .csv, found {path}")


def event(frame: Frame, readings: Sequence[Reading]) -> dict[str, Any]:
    """Return the JSON object of a frame: boxes in pixels, time in seconds, probabilities by emotion.

    `file` is set for pictures, `calibrated` for faces that were corrected by their neutral face. While the camera is
    lost, `trouble` is set and `faces` is empty.
    """
    file = {"file": utf8(frame.name)} if frame.name else {}
    trouble = {"trouble": frame.error} if frame.error else {}
    faces = [_face(reading) for reading in readings]
    return {"frame": frame.index, "time": round(frame.time_s, 4), **file, "faces": faces, **trouble}


def _face(reading: Reading) -> dict[str, Any]:
    box = reading.face.box
    return {
        "id": reading.id,
        "box": [box.x, box.y, box.width, box.height],
        "score": round(reading.face.score, 4),
        "emotion": reading.emotion,
        "confidence": round(reading.confidence, 4),
        "probabilities": {emotion: round(value, 4) for emotion, value in reading.probabilities.items()},
        **({"calibrated": True} if reading.calibrated else {}),
    }


def csv_header(labels: Sequence[str]) -> list[str]:
    """Return the names of the CSV columns."""
    return ["frame", "time", *FACE_COLUMNS, *labels, "file", "trouble", "calibrated"]


def csv_rows(frame: Frame, readings: Sequence[Reading], labels: Sequence[str]) -> list[list[Any]]:
    """Return one row for each face, or one row with empty face columns; `labels` are the emotions by column."""
    values = event(frame, readings)
    faces = [
        [face["id"], *face["box"], face["score"], face["emotion"], face["confidence"]]
        + [face["probabilities"].get(label) for label in labels]
        + [values.get("file"), frame.error, face.get("calibrated")]
        for face in values["faces"]
    ]
    no_face = [*[None] * (len(FACE_COLUMNS) + len(labels)), values.get("file"), frame.error, None]
    return [[values["frame"], values["time"], *face] for face in faces or [no_face]]


class Events(Sink):
    """Write one line for each frame to a file, a pipe or, with `-`, to standard output, as soon as it is read.

    The lines are JSON, or CSV with one row for each face if the file's name ends in .csv. The last frame always has a
    line, since each line lasts until the next one. An existing file is replaced when the first frame was read, or
    continued by workers: a start that fails leaves it as it is.
    """

    def __init__(self, target: str, context: SinkContext) -> None:
        check_text_file("--events", Path(target))
        self._outlet = Outlet(target, context.stop, kept=context.kept_bytes)
        self.name = self._outlet.name
        self._target = target
        self._labels = context.labels
        self._left_out: tuple[Frame, Sequence[Reading]] | None = None  # the newest frame, if it has no line
        self._keeps = context.thinning.filter().keeps
        self._is_csv = target.lower().endswith(".csv")
        self._header = _csv([csv_header(context.labels)]) if self._is_csv and not context.kept_bytes else ""

    def __enter__(self) -> Events:
        if self._target in STANDARD_OUTPUTS and sys.__stdout__ is None:
            raise OutputError("cannot write events to standard output: it is closed; choose a file")
        try:
            self._outlet.open()
        except OSError as error:
            raise OutputError(f"cannot write {self._target}: {error.strerror}; choose another place") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._keeps(frame, readings):
            self._left_out = None
            self._write_frame(frame, readings)
        else:
            self._left_out = frame, readings

    def _write_frame(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._is_csv:
            self._write(_csv(csv_rows(frame, readings, self._labels)))
        else:
            self._write(json.dumps(event(frame, readings)) + "\n")

    def _write(self, text: str) -> None:
        header = "" if self._outlet.has_started else self._header
        try:
            self._outlet.write(header + text)
        except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
            raise
        except OSError as error:
            raise OutputError(f"cannot write events to {self.name}: {error.strerror}") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is not None:
                self._outlet.hurry()  # a pipe that nobody reads must not hold up the error
            if self._left_out:
                self._write_frame(*self._left_out)
            elif kind is None and not self._outlet.has_started:  # a run without frames: the events of an older one go
                self._write("")
        except (OSError, OutputError):
            if kind is None:
                raise
        finally:
            self._outlet.close()


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()

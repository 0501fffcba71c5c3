"""Read the JSON lines that `--events` writes."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from edge.errors import DataError
from edge.labels import UNCERTAIN
from edge.report.person import Event, FaceEvent

STANDARD_INPUT = "-"
MAX_LINE = 1 << 22  # characters; a line of 50 faces has 20,000
MAX_TIME_S = 1e10  # 300 years; also above the seconds since 1970
MAX_PIXELS = 1_000_000
MAX_LABELS = 256  # a timeline has a column for each


class EventReader:
    """Iterate over the events of a file or, with `-`, of standard input; count the lines that cannot be read.

    A run that was killed leaves half a line, so broken lines are skipped. Raises DataError if the file cannot be opened
    or holds no event.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.events = 0
        self.broken = 0

    def __iter__(self) -> Iterator[Event]:
        with contextlib.ExitStack() as stack:
            file: IO[str] = sys.stdin
            if self.name != STANDARD_INPUT:
                try:
                    file = stack.enter_context(Path(self.name).open(encoding="utf-8", errors="replace"))
                except OSError as error:
                    raise DataError(f"expected an events file, cannot open {self.name}: {error.strerror}") from error
            while line := file.readline(MAX_LINE):
                event = parse(line)
                if event is None:
                    self.broken += bool(line.strip())
                else:
                    self.events += 1
                    yield event
        if not self.events:
            raise DataError(f"expected JSON lines of --events with times, found none in {self.name}")


def parse(line: str) -> Event | None:
    """Return the event of a line; None if the line holds none."""
    try:
        values = json.loads(line)
        time_s = float(values["time"])
        faces = [_face(face) for face in values["faces"]]
        error = values.get("trouble")
        if not 0 <= time_s < MAX_TIME_S or "file" in values:  # pictures have no time
            return None
        if len({tuple(face.probabilities) for face in faces}) > 1:  # one model has one list of labels
            return None
        return Event(int(values["frame"]), time_s, faces, None if error is None else str(error))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _face(values: dict[str, Any]) -> FaceEvent:
    x, y, width, height = (int(value) for value in values["box"])
    if max(map(abs, (x, y, width, height))) > MAX_PIXELS:
        raise ValueError(f"expected a box of at most {MAX_PIXELS} pixels")
    probabilities = {str(label): float(value) for label, value in values["probabilities"].items()}
    if not 0 < len(probabilities) <= MAX_LABELS or not all(0 <= value <= 1 for value in probabilities.values()):
        raise ValueError(f"expected 1 to {MAX_LABELS} probabilities from 0 to 1")
    emotion = str(values["emotion"])
    known = emotion if emotion in probabilities else UNCERTAIN
    return FaceEvent(int(values["id"]), (x, y, width, height), known, probabilities)

"""Continue an events file of pictures where an earlier run ended."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edge.errors import OutputError, UsageError
from edge.sink import Output
from edge.sinks.outlet import STANDARD_OUTPUTS
from edge.untrusted import utf8

Entry = tuple[int, int, str]  # offset in bytes after it, frame, file


@dataclass(frozen=True)
class Done:
    """Hold what an events file has already."""

    names: frozenset[str] = frozenset()  # of the pictures, as `utf8` makes them
    frames: int = 0  # frame number of the next picture
    size: int = 0  # bytes to keep of the file: a torn end is dropped


NOTHING = Done()


def find_done(outputs: Iterable[Output], names: Iterable[str]) -> Done:
    """Return what the events file of a run has of the pictures with these names.

    Raises UsageError if it holds something else, or if there are several such files.
    """
    targets = [output.target for output in outputs if output.name == "events"]
    paths = [Path(target) for target in targets if target not in STANDARD_OUTPUTS]
    paths = [path for path in paths if path.is_file() and path.stat().st_size]
    if not paths:
        return NOTHING
    if len(targets) > 1:
        raise UsageError(f"expected one --events to continue, found {len(targets)}; delete {paths[0]} or name it alone")
    done = read_done(paths[0])
    if done.names.isdisjoint(map(utf8, names)) and done.names:
        raise UsageError(f"expected events of these pictures in {paths[0]}, found others; choose another file")
    return done


def read_done(path: Path) -> Done:
    """Return what an events file has, JSON lines or CSV by its name. Raises UsageError if it is no events file."""
    names = set()
    frame, size = -1, 0
    entries = _rows if path.suffix.lower() == ".csv" else _lines
    try:
        with path.open("rb") as file:
            for size, frame, name in entries(file):  # noqa: B007 (of the last one)
                names.add(name)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; choose another file") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsageError(f"expected events of pictures in {path}, found something else; choose another file") from error
    return Done(frozenset(names), frame + 1, size)


def _lines(file: IO[bytes]) -> Iterator[Entry]:
    """Yield the whole JSON lines of a file; the last one may be torn."""
    size = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        size += len(line)
        event = json.loads(line)
        yield size, int(event["frame"]), str(event["file"])


def _rows(file: IO[bytes]) -> Iterator[Entry]:
    """Yield the pictures of a CSV but the last, of which rows may be missing."""
    size = 0

    def whole_lines() -> Iterator[str]:
        nonlocal size
        for line in file:
            if not line.endswith(b"\n"):
                return
            size += len(line)
            yield line.decode()

    last: Entry | None = None
    for row in csv.DictReader(whole_lines()):
        entry = (size, int(row["frame"]), str(row["file"]))
        if last and last[1:] != entry[1:]:
            yield last
        last = entry

"""Continue an events file of pictures where an earlier run ended.

Events name a picture below its folder, and do not say how it was read. So a run notes both in a file beside its events,
and a run with other notes is refused.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edge.errors import OutputError, UsageError
from edge.files import write_json
from edge.sink import Output
from edge.sinks.events import csv_header
from edge.sinks.outlet import STANDARD_OUTPUTS
from edge.untrusted import parse_json, read_bounded

Entry = tuple[int, int, str, list[str] | None]  # offset in bytes after it, frame, file, columns
Notes = Mapping[str, Any]  # where the pictures are and what decides their readings, by name


@dataclass(frozen=True)
class Done:
    """Hold what an events file has already."""

    names: frozenset[str] = frozenset()  # of the pictures, as `utf8` makes them
    frames: int = 0  # frame number of the next picture
    size: int = 0  # bytes to keep of the file: a torn end is dropped
    columns: Sequence[str] | None = None  # of a CSV; in JSON lines, the labels of the first face, if there is one


NOTHING = Done()


def find_done(outputs: Iterable[Output], names: Iterable[str], labels: Sequence[str], notes: Notes) -> Done:
    """Return what the events file of a run has of the pictures with these names, as `utf8` makes them.

    Raises UsageError if it holds something else, was written by a run with other notes or a model with other labels, or
    if there are several such files.
    """
    targets = [output.target for output in outputs if output.name == "events"]
    paths = [path for path in _files(targets) if path.is_file() and path.stat().st_size]
    if not paths:
        return NOTHING
    if len(targets) > 1:
        raise UsageError(f"expected one --events to continue, found {len(targets)}; delete {paths[0]} or name it alone")
    done = read_done(paths[0])
    if done.names:
        _check_columns(paths[0], done.columns, labels)
        _check_notes(paths[0], done.names, frozenset(names), notes)
    return done


def write_notes(outputs: Iterable[Output], notes: Notes) -> None:
    """Note beside each events file what was run. Raises OutputError."""
    for path in _files(output.target for output in outputs if output.name == "events"):
        write_json(_notes_file(path), notes)


def delete_notes(outputs: Iterable[Output]) -> None:
    """Delete the notes of events files that one process is about to replace."""
    for path in _files(output.target for output in outputs if output.name == "events"):
        if _notes_file(path).exists():
            _notes_file(path).unlink()


def _files(targets: Iterable[str]) -> list[Path]:
    """Return the targets that are files, or will be."""
    paths = [Path(target) for target in targets if target not in STANDARD_OUTPUTS]
    return [path for path in paths if path.is_file() or not path.exists()]


def _notes_file(path: Path) -> Path:
    return path.with_name(f".{path.name}.run.json")


def _check_columns(path: Path, columns: Sequence[str] | None, labels: Sequence[str]) -> None:
    """Raise UsageError if this model would write other columns, or other labels."""
    expected = csv_header(labels) if path.suffix.lower() == ".csv" else list(labels)
    if columns is not None and columns != expected:
        found = [name for name in columns if name not in csv_header(())]
        raise UsageError(
            f"expected events with the labels {', '.join(labels)} in {path}, found {', '.join(found)}: another model or"
            " version wrote it; choose another --events file"
        )


def _check_notes(path: Path, done: frozenset[str], names: frozenset[str], notes: Notes) -> None:
    """Raise UsageError if another run wrote the file: by its notes or, without any, by the names of its pictures."""
    file = _notes_file(path)
    if not file.exists():
        others = sorted(done - names)
        if others:
            found = f"others, as {others[0]}"
            raise UsageError(f"expected events of these pictures in {path}, found {found}; choose another file")
        return
    try:
        before = dict(parse_json(read_bounded(file)))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"expected the notes of a run in {file}, found others; choose another file") from error
    changes = [f"{name} was {before.get(name)}, is {new}" for name, new in notes.items() if before.get(name) != new]
    if changes:
        raise UsageError(
            f"expected the run that wrote {path}, found another: {'; '.join(changes)}; choose another --events file"
        )


def read_done(path: Path) -> Done:
    """Return what an events file has, JSON lines or CSV by its name. Raises UsageError if it is no events file."""
    names = set()
    frame, size = -1, 0
    columns: Sequence[str] | None = None
    entries = _rows if path.suffix.lower() == ".csv" else _lines
    try:
        with path.open("rb") as file:
            for size, frame, name, found in entries(file):  # noqa: B007 (of the last one)
                names.add(name)
                columns = columns or found
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; choose another file") from error
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsageError(f"expected events of pictures in {path}, found something else; choose another file") from error
    return Done(frozenset(names), frame + 1, size, columns)


def _lines(file: IO[bytes]) -> Iterator[Entry]:
    """Yield the whole JSON lines of a file; the last one may be torn."""
    size = 0
    for line in file:
        if not line.endswith(b"\n"):
            return
        size += len(line)
        event = json.loads(line)
        faces = event["faces"]
        yield size, int(event["frame"]), str(event["file"]), list(faces[0]["probabilities"]) if faces else None


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
    reader = csv.DictReader(whole_lines())
    for row in reader:
        entry = (size, int(row["frame"]), str(row["file"]), list(reader.fieldnames or ()))
        if last and last[1:] != entry[1:]:
            yield last
        last = entry

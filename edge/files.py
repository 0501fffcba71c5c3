"""Write files whole or not at all: write a temporary file in the same folder, then rename it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.errors import OutputError


def check_writable(path: Path) -> None:
    """Raise OutputError if `path` cannot be written as a file. To be called before long work, not after it."""
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: it exists and is no plain file; choose another place")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: {folder} is not a writable folder; choose another place")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` on success, delete it on failure.

    The temporary name has the suffix of `path`, since some writers choose their format by it. Raises OutputError if
    the folder is not writable or the disk is full.
    """
    check_writable(path)
    path = path.resolve()  # replace the file that a link points to, not the link
    tmp = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield tmp
        tmp.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            tmp.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, whole or not at all. Raises OutputError, or ValueError for NaN and infinity."""
    with atomic_write(path) as tmp:
        tmp.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")

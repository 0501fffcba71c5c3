"""Write files whole or not at all, and name files to native libraries."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.errors import OutputError

MAX_STEM = 40  # characters of up to four bytes: the temporary name of a file must not be too long for the file system


def check_writable(path: Path) -> None:
    """Raise OutputError if `path` cannot be written as a file. To be called before long work, not after it."""
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: it exists and is no plain file; choose another place")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write {path}: {folder} is not a writable folder; choose another place")


def same_file(one: Path, other: Path) -> bool:
    """Return whether two paths name one existing file, by links too."""
    return one.exists() and other.exists() and one.samefile(other)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` on success, delete it on failure.

    The temporary name has the suffix of `path`, since some writers choose their format by it. Raises OutputError if
    the folder is not writable or the disk is full.
    """
    tmp = None
    try:
        check_writable(path)
        path = path.resolve()  # replace the file that a link points to, not the link
        tmp = path.with_name(f".{path.stem[:MAX_STEM]}.{os.getpid()}{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield tmp
        tmp.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    finally:
        if tmp is not None:
            with contextlib.suppress(OSError):
                tmp.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as a JSON file, whole or not at all. Raises OutputError, or ValueError for NaN and infinity."""
    with atomic_write(path) as tmp:
        tmp.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def native_name(path: Path) -> Iterator[str]:
    """Yield a name by which OpenCV can open a file while the context lasts.

    It is absolute, since FFmpeg takes `12:30.mp4` for an address. OpenCV crashes at a name that is not UTF-8, and may
    take one with % for a numbered sequence: such a file gets a link in a temporary folder. Raises OSError.
    """
    name = str(path.absolute())
    if "%" not in name and _is_utf8(name):
        yield name
        return
    import tempfile  # here: few files have such a name

    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"link{path.suffix if _is_utf8(path.suffix) and '%' not in path.suffix else ''}"
        link.symlink_to(name)
        yield str(link)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # Python holds bytes that are not UTF-8 as lone surrogates
        return False
    return True

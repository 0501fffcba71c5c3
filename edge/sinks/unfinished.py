"""Find recordings that a dead process left behind, and never confuse them with one that is being written."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be renamed
    fcntl = None  # type: ignore[assignment]


class Unfinished:
    """Hold an empty temporary file, `.name.NUMBER.suffix`, beside the file that it will become.

    A lock marks it as being written; the system removes the lock when the process dies. Raises OSError.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        for number in itertools.count(os.getpid()):  # in containers, the process that died had the same number
            self.path = target.with_name(f".{target.stem}.{number}{target.suffix}")
            with contextlib.suppress(FileExistsError):
                self._file = self.path.open("xb")
                break
        if fcntl is not None:
            with contextlib.suppress(OSError):  # some network drives have no locks
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def publish(self) -> None:
        """Give the file its own name."""
        self._file.close()
        self.path.replace(self._target)

    def discard(self) -> None:
        """Delete the file, unless it was published."""
        self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def abandoned(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the unfinished files with these suffixes that no process is writing."""
    for path in sorted(folder.glob(".*")):
        is_ours = path.suffix.lower() in suffixes and re.fullmatch(r"\..+\.\d+", path.stem) and path.is_file()
        if is_ours and not _is_being_written(path):
            yield path


def _is_being_written(path: Path) -> bool:
    try:
        if fcntl is None:
            path.rename(path)
        else:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False

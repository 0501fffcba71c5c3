"""Unpack a data set that is given as an archive, into a temporary folder that is removed at the end."""

from __future__ import annotations

import functools
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from edge.errors import DataError
from train.store import scratch_folder

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
MAX_BYTES = 20 * 10**9  # of all files together; FER-2013's have 0.3 GB, AffectNet's 4 GB
MAX_FILES = 2_000_000
MAX_DEPTH = 3  # of archives inside each other
CHUNK = 1 << 20
_folders: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends


def is_archive(file: Path) -> bool:
    """Return whether a file is an archive, by its name."""
    return file.name.lower().endswith(SUFFIXES) and file.is_file()


@functools.cache
def unpacked(*archives: Path) -> Path:
    """Unpack archives, and those inside them; return the folder, where each of several has a folder of its own.

    Only plain files are written, and only inside the folder. The same archives are unpacked once. Raises DataError for
    a damaged or too large archive.
    """
    folders = tempfile.TemporaryDirectory(prefix="edge-emotion-", dir=scratch_folder(), ignore_cleanup_errors=True)
    _folders.append(folders)
    folder = Path(_folders[-1].name)
    budget = Budget(archives[0])
    pending = [(archive, folder / (_stem(archive) if len(archives) > 1 else ""), 1) for archive in archives]
    while pending:
        file, target, depth = pending.pop()
        try:
            for inner in _unpack(file, target, budget):
                if depth < MAX_DEPTH and is_archive(inner):
                    pending.append((inner, inner.with_name(_stem(inner)), depth + 1))
        except (*_DAMAGE, zipfile.BadZipFile, tarfile.TarError) as error:
            raise DataError(f"expected an archive, cannot unpack {file}: {error}; fetch it again") from error
        if file not in archives:
            file.unlink()
    return folder


def _stem(archive: Path) -> str:
    """Return the name without the suffix, which may name a split: train.zip."""
    return archive.name[: -len(next(suffix for suffix in SUFFIXES if archive.name.lower().endswith(suffix)))]


# zipfile raises RuntimeError for encrypted files, NotImplementedError for unknown methods of compression.
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, ValueError, UnicodeError)


class Budget:
    """Count what is unpacked. `spend` raises DataError beyond the limits: a small archive may hold far too much."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._bytes = MAX_BYTES
        self._files = MAX_FILES

    def spend(self, count: int, files: int = 0) -> None:
        self._bytes -= count
        self._files -= files
        if min(self._bytes, self._files) < 0:
            raise DataError(
                f"expected at most {MAX_BYTES / 1e9:.0f} GB in {MAX_FILES:,} files in {self._archive}, found more; "
                "unpack it yourself and give the folder"
            )


def _unpack(archive: Path, folder: Path, budget: Budget) -> Iterator[Path]:
    """Write the plain files of one archive below a folder, and yield them."""
    for name, opened in _members(archive):
        parts = PurePosixPath(name.replace("\\", "/")).parts
        hidden = any(part.startswith((".", "__")) for part in parts)
        if not parts or hidden or ".." in parts or parts[0].endswith((":", "/")):
            continue  # __MACOSX and the like, and names that point outside of the folder
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened, path.open("wb") as target:
            budget.spend(0, files=1)
            while chunk := opened.read(CHUNK):
                budget.spend(len(chunk))
                target.write(chunk)
        yield path


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the content of each plain file of an archive."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    yield info.filename, zipped.open(info)
        return
    with tarfile.open(archive) as tar:
        while member := tar.next():
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile keeps them: a million take a gigabyte
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content

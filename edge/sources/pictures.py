"""Read pictures: one file, a folder, or the matches of a glob pattern."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from glob import escape, glob
from pathlib import Path
from typing import Any

from edge.errors import SourceError
from edge.picture import decode_picture, read_bytes, read_header, read_picture
from edge.picture_header import HEAD, picture_format
from edge.sources.base import Source
from edge.untrusted import printable
from edge.values import Image

# A file with such a name that holds no picture is a damaged one; any other that holds none is left out.
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".webp", ".tif", ".tiff"}
PICTURE_SUFFIXES |= {".avif", ".heic", ".heif", ".jp2", ".pgm", ".ppm"}
MOTION_JPEG_SUFFIXES = {".mjpg", ".mjpeg"}  # the video begins as a JPEG does: its name alone tells
SYSTEM_FILES = {".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini"}  # file managers leave them in every folder
LISTED = 3  # files left out that are named; all are counted


class Pictures(Source):
    """Read pictures in the order of their paths; their names are relative to their common folder.

    What is a picture is decided by its content. Raises SourceError if there are none, or if the only one cannot be
    decoded.
    """

    independent = True
    load: Callable[[Any], bytes] = staticmethod(read_bytes)  # returns the contents of one of `pictures`

    def __init__(self, text: str) -> None:
        super().__init__(text)
        paths = sorted(set(picture_paths(text)))  # glob gives those of **/** twice
        self.files = [path for path in paths if is_picture(path)]
        pictures = set(self.files)
        self.notice = _left_out(text, [path for path in paths if not (path in pictures or _is_system_file(path))])
        if not self.files:
            raise SourceError(f"expected pictures in {text}, found none{(self.notice and f' ({self.notice})') or ''}")
        if len(self.files) == 1:
            read_picture(self.files[0])  # a damaged one is an error before there is any output
        self.folder = Path(os.path.commonpath([file.absolute().parent for file in self.files]))

    @property
    def pictures(self) -> Sequence[Any]:
        """Return what `load` takes for each picture, in any process."""
        return [file.absolute() for file in self.files]

    @property
    def place(self) -> str:
        """Return what names are relative to, whole enough to tell two sources apart."""
        return os.path.realpath(self.folder or "")

    def name_of(self, picture: Any) -> str:
        """Return the picture's name for events."""
        return str(picture.absolute().relative_to(self.folder or ""))

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a folder, a picture, or a glob pattern. A GIF of its own is a video."""
        path = Path(text)
        if path.is_dir() or _is_pattern(text):
            return True
        return _format(path) not in (None, "GIF") and path.suffix.lower() not in MOTION_JPEG_SUFFIXES

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Yield each picture, uint8 [height, width, 3] BGR, with its name; report on stderr which were skipped."""
        for picture in self.pictures:
            try:
                image, has_more = load_picture(self.load, picture)
            except SourceError as error:  # the others can still be read
                self.skip(error)
                continue
            if has_more:
                report_first_of_several(picture)
            yield image, self.name_of(picture)


def load_picture(load: Callable[[Any], bytes], picture: Any) -> tuple[Image, bool]:
    """Return a picture, uint8 [height, width, 3] BGR, and whether its file holds more than it. Raises SourceError."""
    data = load(picture)
    header = read_header(data, str(picture))
    return decode_picture(data, str(picture), header=header), header.has_more


def report_first_of_several(picture: Any) -> None:
    """Say on stderr that only the first picture of a file is read."""
    print(printable(f"{picture} holds several pictures: its first is read"), file=sys.stderr)


def _format(path: Path) -> str | None:
    """Return the format of a picture by its content, None for anything else."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return picture_format(file.read(HEAD))
    except OSError:
        return None


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, sound or damaged."""
    suffix = path.suffix.lower()
    if _format(path) is not None:
        return suffix not in MOTION_JPEG_SUFFIXES
    return suffix in PICTURE_SUFFIXES and path.is_file() and not _is_system_file(path)


def _is_system_file(path: Path) -> bool:
    return path.name.lower() in SYSTEM_FILES or path.name.startswith("._")


def _left_out(text: str, paths: Sequence[Path]) -> str | None:
    """Return a line that names and counts the files that are no pictures, and the folders that are not entered."""
    folders = [path for path in paths if path.is_dir()] if Path(text).is_dir() else []
    files = [path.name for path in paths if not path.is_dir()]
    parts = []
    if files:
        more = f" and {len(files) - LISTED} more" if len(files) > LISTED else ""
        parts.append(f"{len(files)} that {'is no picture' if len(files) == 1 else 'are no pictures'}")
        parts[-1] += f" ({', '.join(files[:LISTED])}{more})"
    if folders:
        parts.append(f"{len(folders)} folder{'s' if len(folders) > 1 else ''} (for all: '{Path(text) / '**'}')")
    return printable(f"left out of {text}: {', '.join(parts)}") if parts else None


def _is_pattern(text: str) -> bool:
    return any(wildcard in text for wildcard in "*?[") and not Path(text).exists()


def picture_paths(text: str) -> list[Path]:
    """Return the paths that the source names, pictures or not."""
    path = Path(text)
    if path.is_dir():
        return list(path.iterdir())
    if _is_pattern(text):
        folder = next(parent for parent in path.parents if parent.exists())  # its name may have brackets of its own
        pattern = os.path.join(escape(str(folder)), path.relative_to(folder))  # noqa: PTH118
        return [Path(match) for match in glob(pattern, recursive=True)]  # noqa: PTH207 (Path.glob takes no absolute one)
    return [path]

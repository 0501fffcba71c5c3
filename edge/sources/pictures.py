"""Read pictures: one file, a folder, or the matches of a glob pattern."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from glob import glob
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import Source
from edge.values import Image

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class Pictures(Source):
    """Read pictures in the order of their paths; their names are relative to their common folder.

    Raises SourceError if there are none, or if the only one cannot be decoded.
    """

    independent = True

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._files = sorted(file for file in _files(text) if _is_picture(file) and file.is_file())
        if not self._files:
            raise SourceError(f"expected pictures ({' '.join(sorted(PICTURE_SUFFIXES))}) in {text}, found none")
        if len(self._files) == 1:
            read_picture(self._files[0])  # a damaged one is an error before there is any output
        self.folder = Path(os.path.commonpath([file.absolute().parent for file in self._files]))

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a folder, a picture file, or a glob pattern."""
        path = Path(text)
        return path.is_dir() or _is_pattern(text) or (path.is_file() and _is_picture(path))

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Yield each picture, uint8 [height, width, 3] BGR, with its name; report on stderr which were skipped."""
        for file in self._files:
            try:
                image = read_picture(file)
            except SourceError as error:  # the others can still be read
                print(f"skipped: {error}", file=sys.stderr)
                self.skipped += 1
                continue
            yield image, str(file.absolute().relative_to(self.folder or ""))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _is_pattern(text: str) -> bool:
    return any(wildcard in text for wildcard in "*?[") and not Path(text).exists()


def _files(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        return list(path.iterdir())
    if _is_pattern(text):
        return [Path(match) for match in glob(text, recursive=True)]  # noqa: PTH207 (Path.glob takes no absolute one)
    return [path]


def read_picture(file: Path) -> Image:
    """Return a picture as uint8 [height, width, 3] BGR, upright by its EXIF orientation.

    Grey pictures and those with transparency become BGR too. Raises SourceError if it cannot be decoded.
    """
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"expected a picture, cannot decode {file}; remove it or fetch it again")
    return image

"""Write annotated pictures to a folder."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from edge.errors import OutputError, UsageError
from edge.files import atomic_write
from edge.opencv import cv2
from edge.picture import encode_picture
from edge.sinks.base import Sink, SinkContext
from edge.sinks.events import VIDEO_SUFFIXES
from edge.values import Frame, Reading

# Recorded in their own format, if this OpenCV writes it. Others get a second suffix, as photo.heic.jpg.
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".jp2", ".ppm"}
COMMON_SUFFIX = ".jpg"
NAME_ERRORS = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}  # the others are about the disk


class PictureFolder(Sink):
    """Write one annotated picture for each source picture, under the same name.

    A picture that does not fit its format, or whose name does not fit the file system, is reported and skipped.
    """

    needs_picture = True

    def __init__(self, target: str, context: SinkContext) -> None:
        folder = Path(target)
        if folder.suffix.lower() in VIDEO_SUFFIXES:
            raise UsageError(f"expected a folder for --record, since the source is pictures, found {folder}")
        self.name = str(folder)
        self._folder = folder
        self._skip = context.skip

    def __enter__(self) -> PictureFolder:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write to {self._folder}: {error.strerror}; choose another folder") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        path = _recorded(self._folder / (frame.name or f"{frame.index}.png"))
        try:
            data = encode_picture(frame.image, path.suffix)
        except OutputError as error:
            self._skip(OutputError(f"cannot write {path}: {error}"))
            return
        try:
            with atomic_write(path) as tmp:
                tmp.write_bytes(data)
        except OutputError as error:
            if getattr(error.__cause__, "errno", None) not in NAME_ERRORS:
                raise
            self._skip(error)


def _recorded(path: Path) -> Path:
    """Return the path with a suffix in whose format it can be written."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and cv2.haveImageWriter(f"x{suffix}"):
        return path
    return path.with_name(path.name + COMMON_SUFFIX)

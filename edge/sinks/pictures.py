"""Write annotated pictures to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.errors import OutputError, UsageError
from edge.files import atomic_write
from edge.opencv import cv2
from edge.sinks.base import Sink, SinkContext
from edge.sinks.video import CODECS
from edge.values import Frame, Reading


class PictureFolder(Sink):
    """Write one annotated picture for each source picture, under the same name."""

    needs_picture = True

    def __init__(self, target: str, context: SinkContext) -> None:
        folder = Path(target)
        if folder.suffix.lower() in CODECS:
            raise UsageError(f"expected a folder for --record, since the source is pictures, found {folder}")
        if context.source_folder is not None and folder.resolve() == context.source_folder.resolve():
            raise UsageError(f"expected --record other than the pictures' own folder, found {folder}; choose another")
        self.name = str(folder)
        self._folder = folder

    def __enter__(self) -> PictureFolder:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write to {self._folder}: {error.strerror}; choose another folder") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        path = self._folder / (frame.name or f"{frame.index}.png")
        _, data = cv2.imencode(path.suffix, frame.image)
        with atomic_write(path) as tmp:
            tmp.write_bytes(data.tobytes())

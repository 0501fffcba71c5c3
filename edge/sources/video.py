"""Read a video file or animation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from edge.errors import SourceError
from edge.files import native_name
from edge.opencv import cv2
from edge.sources.base import Source
from edge.values import Image


class Video(Source):
    """Read every frame of a video file. Raises SourceError if it cannot be decoded."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        with native_name(Path(text)) as name:
            self._capture = cv2.VideoCapture(name)
        self._first = self._read() if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise SourceError(f"expected a video or a picture, cannot decode {text}; check the file")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else 30.0

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a file."""
        return Path(text).is_file()

    def _read(self) -> Image | None:
        success, image = self._capture.read()
        return image if success else None

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Yield each frame, uint8 [height, width, 3] BGR; report on stderr if the file ends early."""
        image = self._first
        count = 0
        while image is not None:
            yield image, None
            count += 1
            image = self._read()
        announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if announced > 1.05 * count + 2:  # damaged, or a container whose count is an estimate
            print(f"{self.name} gave {count} of the {announced} frames it announces", file=sys.stderr)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

"""Sources that give every frame, in order, the same each time: video, pictures, demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import Source
from edge.sources.demo import demo_images
from edge.values import Image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
DEMO_FPS = 30.0
DEMO_FRAMES = 300


class Demo(Source):
    """A camera that pans and zooms over a photograph; `endless` for a window that somebody watches."""

    fps = DEMO_FPS

    def __init__(self, endless: bool = False) -> None:
        super().__init__("demo")
        self._endless = endless

    def images(self) -> Iterator[tuple[Image, str | None]]:
        while True:
            yield from ((image, None) for image in demo_images(DEMO_FRAMES))
            if not self._endless:
                return


class Pictures(Source):
    """The pictures among `files`, in the order of their paths; their names are relative to the folder of them all."""

    independent = True

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        super().__init__(name)
        self._files = sorted(file for file in files if file.suffix.lower() in PICTURES and file.is_file())
        if not self._files:
            raise SourceError(f"expected pictures ({' '.join(sorted(PICTURES))}) in {name}, found none")
        if len(self._files) == 1:
            read_picture(self._files[0])  # a wrong one is an error before there is any output
        self.folder = Path(os.path.commonpath([file.absolute().parent for file in self._files]))

    def images(self) -> Iterator[tuple[Image, str | None]]:
        for file in self._files:
            try:
                image = read_picture(file)
            except SourceError as error:  # one of many: the others are not lost by it
                print(f"skipped: {error}", file=sys.stderr)
                self.skipped += 1
                continue
            yield image, str(file.absolute().relative_to(self.folder or ""))


class Video(Source):
    """A video file or animation, every frame of it. The container's own count of frames is not to be trusted."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._capture = cv2.VideoCapture(str(path))
        self._first: Image | None = self._capture.read()[1] if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise SourceError(f"expected a video or a picture, cannot decode {path}; check the file")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else 30.0

    def images(self) -> Iterator[tuple[Image, str | None]]:
        image, count = self._first, 0
        while image is not None:
            yield image, None
            count += 1
            read, image = self._capture.read()
            image = image if read else None
        announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if announced > 1.05 * count + 2:  # damaged, or a container that lies
            print(f"{self.name} gave {count} of the {announced} frames it announces", file=sys.stderr)

    def close(self) -> None:
        self._capture.release()


def read_picture(file: Path) -> Image:
    """A picture as uint8 [height, width, 3] BGR, upright by its EXIF; grey and alpha ones too. Raises SourceError."""
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"expected a picture, cannot decode {file}; remove it or fetch it again")
    return image

"""Viola-Jones face detection with the cascade inside OpenCV's own wheels: nothing to download.

Its time goes with the number of pixels, so it works on a picture brought to `WORKING_SIDES` pixels, in which the
smallest face it looks for has a fifteenth of the longer side. Equalizing the histogram first does not pay: it finds the
same faces in a quarter more time. Its box is nearly the square that FER-2013 cuts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from edge.detectors.base import largest_first
from edge.errors import MissingExtra, UsageError
from edge.opencv import cv2
from edge.preprocess import to_grey
from edge.values import Box, Face, Image

WORKING_SIDES = 320, 480  # the longer side, at least and at most
SMALLEST = 24, 1 / 15  # pixels, the cascade's own window; of the longer side
SCALE_STEP = 1.2
NEIGHBOURS = 6


class Haar:
    """OpenCV's frontal-face cascade."""

    name = "haar"
    detect_interval = 10
    cores = 4

    def __init__(self, model: Path | None = None) -> None:
        if model is not None:
            raise UsageError(
                "expected no --detector-model with haar, which needs none; leave it out, or choose another --detector"
            )
        folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
        if folder is None or not hasattr(cv2, "CascadeClassifier"):
            raise MissingExtra(f"an OpenCV below 5 with Haar cascades (found {cv2.__version__})", "headless")
        self.invoke = cv2.CascadeClassifier(str(Path(folder) / "haarcascade_frontalface_default.xml")).detectMultiScale

    def detect(self, image: Image) -> list[Face]:
        """Faces in a [height, width, 3] BGR or [height, width] grey picture, largest first, boxes in its pixels."""
        side = max(image.shape[:2])
        scale = side / min(max(side, WORKING_SIDES[0]), WORKING_SIDES[1])
        grey = _resize(to_grey(image), scale, cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
        smallest = max(SMALLEST[0], round(max(grey.shape) * SMALLEST[1]))
        return _faces(self.invoke(grey, SCALE_STEP, NEIGHBOURS, minSize=(smallest, smallest)), scale)

    def close(self) -> None:
        """Nothing to let go of."""


def _faces(rectangles: Iterable[Sequence[int]], scale: float) -> list[Face]:
    """The cascade's rectangles, found in a picture `scale` times as small."""
    return largest_first(Face(Box(*(round(float(value) * scale) for value in sides))) for sides in rectangles)


def _resize(image: Image, scale: float, interpolation: int) -> Image:
    if scale == 1:
        return image
    size = [max(1, round(side / scale)) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=interpolation)

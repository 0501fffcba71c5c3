"""Viola-Jones face detection with the cascade inside OpenCV's own wheels: nothing to download.

The dear stage of the loop: its time goes with the number of pixels, so it works on a picture of at most
`WORKING_SIDE` pixels, in which the smallest face it looks for is `SMALLEST` pixels wide.
"""

from __future__ import annotations

from pathlib import Path

from edge.errors import MissingExtra
from edge.opencv import cv2
from edge.values import Box, Face, Image

WORKING_SIDE = 480
SMALLEST = 32
SCALE_STEP = 1.2
NEIGHBOURS = 6


class Haar:
    """OpenCV's frontal-face cascade."""

    name = "haar"

    def __init__(self) -> None:
        folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
        if folder is None or not hasattr(cv2, "CascadeClassifier"):
            raise MissingExtra(f"an OpenCV below 5 with Haar cascades (found {cv2.__version__})", "headless")
        self._cascade = cv2.CascadeClassifier(str(Path(folder) / "haarcascade_frontalface_default.xml"))

    def detect(self, image: Image) -> list[Face]:
        """Faces in a [height, width, 3] BGR or [height, width] grey picture, largest first, boxes in its pixels."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        scale = max(1.0, max(grey.shape) / WORKING_SIDE)
        if scale > 1:
            size = [max(1, round(side / scale)) for side in (grey.shape[1], grey.shape[0])]
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=SCALE_STEP, minNeighbors=NEIGHBOURS, minSize=(SMALLEST, SMALLEST)
        )
        boxes = [Box(*(round(float(value) * scale) for value in rectangle)) for rectangle in found]
        return [Face(box) for box in sorted(boxes, key=lambda box: (-box.width, box.x, box.y))]

"""Detect faces with the Viola-Jones cascade inside OpenCV's own wheels: the detector that needs no file.

The time grows with the number of pixels, so the image is resized until the smallest face to look for has the cascade's
own window. Equalizing the histogram first does not pay: it finds the same faces in a quarter more time. The cascade's
box is nearly the square that FER-2013 cuts out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.detectors.base import MAX_IOU, Crop, Detector, largest_first
from edge.errors import MissingExtra, UsageError
from edge.opencv import cv2
from edge.preprocess import to_grey
from edge.values import Face, Image

WINDOW_SIZE = 24  # pixels: the cascade's own window, the smallest face in the resized image
MIN_LENGTH = 320  # pixels: the longer side of the resized image, at least
THOROUGH_LENGTH = 480  # the same in a thorough search
COARSE_LENGTH = 240  # the same in the coarse search that follows where a thorough one finds nothing
SCALE_STEP = 1.1
NEIGHBOURS = 3
MIN_WEIGHT = 2.5  # of the last stage that a box passed: false alarms have less
COARSE_MIN_WEIGHT = 1.0  # the same in a coarse search, which raises fewer false alarms
BORDER = 0.25  # of the longer side, in a thorough search: the cascade misses faces that fill the image
CROP = Crop(scale=0.9, down=0.05)


class Haar(Detector):
    """Run OpenCV's frontal-face cascade."""

    name = "haar"
    cores = 4  # it gains little from more
    smallest_face = 1 / 15

    def __init__(self, model: Path | None = None) -> None:
        if model is not None:
            raise UsageError(f"haar needs no model file, found {model}; leave out --detector-model")
        folder = getattr(getattr(cv2, "data", None), "haarcascades", None)
        if folder is None or not hasattr(cv2, "CascadeClassifier"):
            raise MissingExtra(f"an OpenCV below 5 with Haar cascades (found {cv2.__version__})", "headless")
        self.invoke = cv2.CascadeClassifier(str(Path(folder) / "haarcascade_frontalface_default.xml")).detectMultiScale3

    def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
        """Return all faces, largest first; see Detector."""
        grey = to_grey(image)
        longest = max(grey.shape)
        if smallest is not None:
            length = max(longest * WINDOW_SIZE / smallest, MIN_LENGTH)
            window = max(WINDOW_SIZE, round(smallest * length / longest))
            return self._search(grey, length, window, 0.0, MIN_WEIGHT)
        faces = self._search(grey, THOROUGH_LENGTH, WINDOW_SIZE, BORDER, MIN_WEIGHT)
        return faces or self._search(grey, COARSE_LENGTH, WINDOW_SIZE, BORDER, COARSE_MIN_WEIGHT)

    def _search(self, grey: Image, length: float, window: int, border: float, min_weight: float) -> list[Face]:
        """Return the faces from `window` pixels of a picture resized to `length`; `border` is a share of the length."""
        scale = length / max(grey.shape)
        size = [max(1, round(side * scale)) for side in (grey.shape[1], grey.shape[0])]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        width = round(border * length)  # added to the resized image, whose size is bounded
        if width:
            grey = cv2.copyMakeBorder(grey, width, width, width, width, cv2.BORDER_REPLICATE)
        boxes, _, rows = self.invoke(grey, SCALE_STEP, NEIGHBOURS, minSize=(window, window), outputRejectLevels=True)
        weights = np.ravel(rows)
        faces: list[Face] = []
        for index in np.argsort(-weights, kind="stable"):
            face = _face(boxes[index], scale, width)
            if weights[index] >= min_weight and all(face.box.iou(other.box) <= MAX_IOU for other in faces):
                faces.append(face)
        return largest_first(faces)


def _face(box: Sequence[int], scale: float, border: int) -> Face:
    """Map a box in the resized image with its border to the face in the image."""
    left, top, width, height = (float(value) for value in box)
    return CROP.face((left - border) / scale, (top - border) / scale, width / scale, height / scale)

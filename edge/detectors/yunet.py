"""Detect faces with YuNet, which OpenCV runs itself: the default detector.

Source: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. The model file ships with this package
(edge/models/NOTICE.md). YuNet finds faces of about 10 pixels and more, so the image is shrunk until the smallest face
to look for is that wide. It is never enlarged.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.detectors.base import MAX_IOU, Crop, Detector, largest_first, read_model, shrink, warn_of_unknown
from edge.errors import MissingExtra, ModelError
from edge.opencv import cv2
from edge.values import Face, Image

MODEL = Path(__file__).resolve().parents[1] / "models" / "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
SMALLEST_FACE = 10  # pixels of the shrunk image
MIN_LENGTH = 160  # pixels: the longer side of the shrunk image, at least
THOROUGH_LENGTH = 480  # the same in a thorough search
MIN_SIDE = 64  # pixels of the padded image: at sides up to 32, OpenCV 4.10 to 4.14 sometimes returns garbage
MIN_SCORE = 0.7
CROP = Crop(scale=0.95, down=0.04)


class YuNet(Detector):
    """Run OpenCV's FaceDetectorYN."""

    name = "yunet"

    def __init__(self, model: Path | None = None) -> None:
        if not hasattr(cv2, "FaceDetectorYN"):
            raise MissingExtra(f"an OpenCV with FaceDetectorYN (found {cv2.__version__})", "headless")
        content = read_model(model, MODEL, SHA256)
        graph = np.frombuffer(content, np.uint8)
        config = np.empty(0, np.uint8)
        try:
            self._detector = cv2.FaceDetectorYN.create("onnx", graph, config, (MIN_SIDE, MIN_SIDE), MIN_SCORE, MAX_IOU)
            self._detector.detect(np.zeros((MIN_SIDE, MIN_SIDE, 3), np.uint8))  # a wrong network fails here
        except cv2.error as error:
            found = f"OpenCV {cv2.__version__} cannot run {model or MODEL}"
            raise ModelError(f"expected a YuNet model (2023mar), {found}") from error
        warn_of_unknown(model, content, SHA256)
        self.invoke = self._run

    def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
        """Return all faces, largest first; see Detector."""
        longest = max(image.shape[:2])
        length = THOROUGH_LENGTH if smallest is None else max(MIN_LENGTH, longest * SMALLEST_FACE / smallest)
        small, scale = shrink(image, length)
        if min(small.shape[:2]) < SMALLEST_FACE:  # no room for a face, and too little for the network
            return []
        if small.ndim == 2:
            small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
        bottom, right = (max(0, MIN_SIDE - side) for side in small.shape[:2])
        if bottom or right:
            small = cv2.copyMakeBorder(small, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        faces = []
        for row in self.invoke(small):
            left, top, width, height = (value / scale for value in row[:4])
            faces.append(CROP.face(left, top, width, height, score=row[14]))
        return largest_first(faces)

    def _run(self, image: Image) -> list[list[float]]:
        """Return a row for each face: left, top, width, height, five landmarks, score; pixels of the shrunk image."""
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        _, rows = self._detector.detect(image)
        return [] if rows is None else rows[np.isfinite(rows).all(axis=1)].tolist()  # a damaged file's are not

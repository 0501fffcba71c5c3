"""Detect faces with BlazeFace through the official mediapipe package (240 MB), for those who have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.detectors.base import Detector, largest_first, read_model, warn_of_unknown
from edge.detectors.blazeface import CROP
from edge.detectors.blazeface_model import SHA256, fetch_model
from edge.errors import MissingExtra, ModelError
from edge.opencv import cv2
from edge.quiet import quiet
from edge.values import Face, Image


class MediaPipe(Detector):
    """Run MediaPipe's Tasks FaceDetector."""

    name = "mediapipe"
    detect_interval = 5

    def __init__(self, model: Path | None = None) -> None:
        try:
            with quiet():
                import mediapipe
                from mediapipe.tasks.python import BaseOptions, vision
        except ImportError:
            raise MissingExtra("mediapipe", "mediapipe") from None
        self._mediapipe = mediapipe
        path = model or fetch_model()
        content = read_model(model, path, SHA256)
        try:
            with quiet():
                options = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_buffer=content))
                self._detector = vision.FaceDetector.create_from_options(options)
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(f"expected BlazeFace's model, mediapipe cannot load {path}") from error
        warn_of_unknown(model, content, SHA256)
        self.invoke = self._detector.detect
        with quiet():  # the first picture makes it talk
            self.detect(np.zeros((8, 8), np.uint8))

    def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
        """Return all faces, largest first; see Detector. The network has one resolution: `smallest` changes nothing."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB)
        result = self.invoke(self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb))
        faces = []
        for item in result.detections:
            box = item.bounding_box
            faces.append(CROP.face(box.origin_x, box.origin_y, box.width, box.height, item.categories[0].score))
        return largest_first(faces)

    def close(self) -> None:
        """Close the detector: at interpreter exit mediapipe would complain."""
        self._detector.close()

"""BlazeFace through the official mediapipe package (240 MB), for those who have it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np

from edge.detectors.base import largest_first
from edge.detectors.blazeface import fer_face
from edge.detectors.blazeface_model import model_file
from edge.errors import EmotionError, MissingExtra, ModelError
from edge.opencv import cv2
from edge.quiet import quiet
from edge.values import Face, Image


class MediaPipe:
    """mediapipe's Tasks FaceDetector."""

    name = "mediapipe"
    detect_interval = 5
    cores = 1

    def __init__(self, model: Path | None = None) -> None:
        try:
            with quiet():
                import mediapipe
                from mediapipe.tasks.python import BaseOptions, vision
        except ImportError:
            raise MissingExtra("mediapipe", "mediapipe") from None
        _check_opencv()
        self._mediapipe = mediapipe
        path = model or model_file()
        try:
            with quiet():
                options = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_path=str(path)))
                self._detector = vision.FaceDetector.create_from_options(options)
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelError(f"expected BlazeFace's model, mediapipe cannot load {path}") from error
        self.invoke = self._detector.detect
        with quiet():  # the first picture makes it talk
            self.detect(np.zeros((8, 8), np.uint8))

    def detect(self, image: Image) -> list[Face]:
        """Faces in a [height, width, 3] BGR or [height, width] grey picture, largest first, boxes in its pixels."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB)
        found = self.invoke(self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=rgb))
        faces = []
        for item in found.detections:
            box = item.bounding_box
            right, bottom = box.origin_x + box.width, box.origin_y + box.height
            faces.append(fer_face((box.origin_x, box.origin_y, right, bottom), item.categories[0].score))
        return largest_first(faces)

    def close(self) -> None:
        """Left to Python's end, mediapipe complains."""
        self._detector.close()


def _check_opencv() -> None:
    """mediapipe brings opencv-contrib-python, which writes into the same cv2 folder as any other OpenCV package."""
    names = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if len({version.rsplit(".", 1)[0] for version in found.values()}) > 1:
        listed = ", ".join(f"{name} {version}" for name, version in found.items())
        raise EmotionError(f"expected OpenCV packages of one version, found {listed}; run: pip install '.[mediapipe]'")

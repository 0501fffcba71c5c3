"""Emotions of the faces in a picture, in three lines.

from edge.reader import EmotionReader
for reading in EmotionReader().read("photo.jpg"):
    print(reading)                                  # happy 89% at 231,63 181x181
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

import numpy as np

from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import UsageError
from edge.meter import Meter
from edge.pipeline import Pipeline
from edge.sources.recorded import read_picture
from edge.values import Frame, Image, Reading


class EmotionReader:
    """Detector and classifier, opened once.

    `detector` is auto, haar, blazeface or mediapipe; `detector_model` is BlazeFace's file. Raises EmotionError.
    """

    def __init__(
        self,
        model: Path | str = SHIPPED,
        detector: str = "auto",
        detector_model: Path | str | None = None,
        threads: int = 1,
    ) -> None:
        finder = open_detector(detector, Path(detector_model) if detector_model else None)
        self._pipeline = Pipeline(finder, Classifier(open_backend(Path(model), threads)), Meter())
        self._frames = 0

    def close(self) -> None:
        """Let go of what the detector holds."""
        self._pipeline.detector.close()

    def __enter__(self) -> EmotionReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def read(self, picture: Path | str | Image) -> list[Reading]:
        """The faces of a picture: a file, or uint8 [height, width, 3] BGR or [height, width] grey; largest first."""
        image = read_picture(Path(picture)) if isinstance(picture, (str, Path)) else _checked(picture)
        return self._pipeline.step(Frame(0, 0.0, time.monotonic(), image, name="picture"))

    def follow(self, image: Image, time_s: float) -> list[Reading]:
        """The faces of a video's next frame, `time_s` seconds from its start: ids, steadied over time."""
        self._frames += 1
        return self._pipeline.step(Frame(self._frames - 1, time_s, time.monotonic(), _checked(image)))


def _checked(image: Image) -> Image:
    """The picture, or UsageError: another type's or shape's values would be read, and mean nothing."""
    shape = getattr(image, "shape", ())
    if getattr(image, "dtype", None) != np.uint8 or 0 in shape or (len(shape) != 2 and shape[2:] != (3,)):
        found = f"{getattr(image, 'dtype', type(image).__name__)} {list(shape)}"
        raise UsageError(f"expected a picture uint8 [height, width, 3] BGR or [height, width] grey, found {found}")
    return image

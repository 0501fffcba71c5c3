"""Read the emotions of faces from Python.

from edge import EmotionReader, annotate

reader = EmotionReader()
for reading in reader.read("photo.jpg"):
    print(reading)                                  # happy 89% at 231,63 181x181
    print(reading.probabilities["happy"])           # 0.89...

reader.calibrate("me_neutral.jpg")                  # corrects for how this person looks at rest
readings = reader.follow(frame, seconds)            # a video, frame by frame
image = annotate(frame, readings)                   # a copy with boxes, labels and bars drawn in
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import TracebackType

import numpy as np

from edge.backend import SHIPPED, model_path, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import SourceError, UsageError
from edge.meter import Meter
from edge.neutral import PROFILE_SUFFIX, NeutralProfile, profile_of
from edge.picture import read_picture
from edge.pipeline import Pipeline
from edge.smoother import UNCERTAIN_BELOW
from edge.values import Frame, Image, Reading


class EmotionReader:
    """Find faces and classify their emotions.

    `model` is a .tflite or .onnx file; `detector` is auto, yunet, haar, blazeface or mediapipe; `detector_model` is the
    model file of a detector that needs one; `threads` is the number of cores for the classifier, 1 to 64. A reading
    below the probability `uncertain_below` is labelled uncertain. `smallest` is the width in pixels of the smallest
    face to look for, None leaves it to the detector.

    Raises subclasses of EmotionError: UsageError for a wrong argument, ModelError for a model file that is missing or
    damaged, MissingExtra for a package that is not installed.
    """

    def __init__(
        self,
        model: Path | str = SHIPPED,
        detector: str = "auto",
        detector_model: Path | str | None = None,
        threads: int = 1,
        uncertain_below: float = UNCERTAIN_BELOW,
        smallest: float | None = None,
    ) -> None:
        if not 0 <= uncertain_below <= 1:
            raise UsageError(f"expected uncertain_below from 0 to 1, found {uncertain_below!r:.80}")
        if smallest is not None and not smallest > 0:
            raise UsageError(f"expected smallest above 0, in pixels, or None, found {smallest!r:.80}")
        classifier = Classifier(open_backend(model_path(model), threads))
        face_detector = open_detector(detector, Path(detector_model) if detector_model else None)
        self._pipeline = Pipeline(face_detector, classifier, Meter(), None, uncertain_below, smallest, workers=threads)
        self._next_index = 0

    def close(self) -> None:
        """Release what the detector holds."""
        self._pipeline.detector.close()

    def __enter__(self) -> EmotionReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def read(self, picture: Path | str | Image) -> list[Reading]:
        """Read the faces of a picture, largest first.

        `picture` is a file, or uint8 [height, width, 3] BGR or [height, width] grey. Raises SourceError for a file that
        is missing or no picture, UsageError for another kind of array.
        """
        image = _load(Path(picture)) if isinstance(picture, (str, Path)) else _checked(picture)
        return self._pipeline.step(Frame(0, 0.0, time.monotonic(), image, name="picture"))

    def follow(self, image: Image, time_s: float) -> list[Reading]:
        """Read the faces of the next frame of a video: with ids, and smoothed over time.

        `time_s` is in seconds from the start of the video. Raises UsageError for an array that is no picture and a time
        that is no number.
        """
        if not isinstance(time_s, (int, float, np.number)) or not math.isfinite(time_s):
            raise UsageError(f"expected the time of the frame in seconds, found {time_s!r:.80}")
        frame = Frame(self._next_index, time_s, time.monotonic(), _checked(image))
        self._next_index += 1
        return self._pipeline.step(frame)

    def calibrate(self, picture: Path | str | Image | NeutralProfile) -> NeutralProfile:
        """Correct all further readings by a person's own neutral face, and return the profile, which can be saved.

        `picture` shows that person with a neutral face; or it is the .json file of a saved profile, or a profile.
        Raises DataError for a picture without a face and for a profile that is damaged or of another model, SourceError
        for a file that is no picture, UsageError for a profile of other labels.
        """
        profile = picture if isinstance(picture, NeutralProfile) else self._profile(picture)
        card = self._pipeline.classifier.card
        if profile.labels != card.labels:
            raise UsageError(f"expected a neutral profile for this model's labels, found {', '.join(profile.labels)}")
        if profile.model:  # one that was made by hand names none
            profile.check_model(card.identity, "the profile")
        self._pipeline.calibrator.default = profile
        return profile

    def _profile(self, picture: Path | str | Image) -> NeutralProfile:
        card = self._pipeline.classifier.card
        if isinstance(picture, (str, Path)) and Path(picture).suffix.lower() == PROFILE_SUFFIX:
            return NeutralProfile.load(Path(picture), card.labels, card.identity)
        image = _load(Path(picture)) if isinstance(picture, (str, Path)) else _checked(picture)
        return profile_of(image, self._pipeline.detector, self._pipeline.classifier)

    def forget_neutral(self) -> None:
        """Correct no further readings."""
        self._pipeline.calibrator.default = None


def _load(path: Path) -> Image:
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise SourceError(f"expected a picture file, but {path} {problem}; check the path")
    return read_picture(path)


def _checked(image: Image) -> Image:
    """Return the picture; raise UsageError for another type or shape, whose values would be misread."""
    shape = getattr(image, "shape", ())
    if getattr(image, "dtype", None) != np.uint8 or 0 in shape or (len(shape) != 2 and shape[2:] != (3,)):
        description = f"{getattr(image, 'dtype', type(image).__name__)} {list(shape)}"
        raise UsageError(
            f"expected a picture uint8 [height, width, 3] BGR or [height, width] grey, found {description}"
        )
    return image

"""Correct every tracked face by its own neutral face; see edge.neutral."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import UsageError
from edge.neutral import PROFILE_SUFFIX, NeutralProfile, log_probabilities, profile_of
from edge.picture import read_picture
from edge.values import Probabilities

AVERAGE_S = 180.0  # time constant of the average, from when on earlier outputs fade
WAIT_S = 30.0  # for which a face must be seen before its average corrects
MAX_STEP_S = 1.0  # counted between two outputs: a face is not seen while the camera is lost
MAX_COUNTDOWN_S = 60
MAX_FACES = 100


@dataclass
class _Face:
    """Hold the neutral face of one tracked face."""

    outputs: list[Probabilities] = field(default_factory=list)  # of the running countdown
    profile: NeutralProfile | None = None
    average: NeutralAverage | None = None


@dataclass
class NeutralAverage:
    """Average the logarithms of a face's outputs over minutes: people are neutral most of the time.

    For people who do not hold still. There is a profile once the face has been seen for `WAIT_S`.
    """

    labels: tuple[str, ...]
    mean_log: Probabilities
    last_s: float
    seen_s: float = 0.0

    def update(self, probabilities: Probabilities, time_s: float) -> None:
        """Add an output, [labels], at `time_s` (the source's time)."""
        step_s = min(max(0.0, time_s - self.last_s), MAX_STEP_S)
        self.last_s = time_s
        self.seen_s += step_s
        if step_s > 0:
            weight = np.float32(step_s / min(self.seen_s, AVERAGE_S))
            self.mean_log = self.mean_log + weight * (log_probabilities(probabilities) - self.mean_log)

    def profile(self) -> NeutralProfile | None:
        """Return the profile; None until the face has been seen for long enough."""
        return NeutralProfile(self.labels, self.mean_log) if self.seen_s >= WAIT_S else None


class Calibrator:
    """Correct every tracked face by its own neutral face.

    `start` begins a countdown of `seconds`, which gives each face that is visible meanwhile a profile of its own. Other
    faces are corrected by the `default` profile, if there is one, or else, with `automatic`, by their own average over
    minutes. `model` is the identity on the card of the model with these labels.
    """

    def __init__(
        self,
        labels: Sequence[str],
        seconds: float = 3.0,
        default: NeutralProfile | None = None,
        automatic: bool = False,
        model: str = "",
    ) -> None:
        self.default = default
        self._labels = tuple(labels)
        self._model = model
        self._seconds = seconds
        self._automatic = automatic
        self._time_s = 0.0
        self._ends_s: float | None = None  # of the running countdown, in the source's time
        self._requested = False
        self._faces: dict[int, _Face] = {}  # by id, in the order in which they were last seen
        self._last_profile: NeutralProfile | None = None

    def start(self) -> None:
        """Begin a countdown at the next frame; it replaces earlier profiles of the visible faces."""
        self._requested = True

    def begin_frame(self, time_s: float) -> None:
        """Start or end the countdown by the time of the frame."""
        self._time_s = time_s
        if self._requested:
            self._requested = False
            self._ends_s = time_s + self._seconds
            for face in self._faces.values():
                face.outputs = []  # of a countdown that is begun again
        if self._ends_s is not None and time_s >= self._ends_s:
            self._ends_s = None
            self._make_profiles()

    def _make_profiles(self) -> None:
        """Give each face with outputs its profile; the one seen in most frames, at first, is the one to save."""
        faces = [self._faces[id_] for id_ in sorted(self._faces, reverse=True) if self._faces[id_].outputs]
        for face in sorted(faces, key=lambda face: len(face.outputs)):
            face.profile = NeutralProfile.from_outputs(self._labels, face.outputs)
            face.outputs = []
            self._last_profile = face.profile
        if not faces:
            print(f"no face was seen in {self._seconds:g} seconds: no reading is corrected", file=sys.stderr)

    @property
    def needs_video(self) -> bool:
        """Return whether a countdown was requested or faces are averaged; neither is possible with pictures."""
        return self.is_counting or self._automatic

    @property
    def is_counting(self) -> bool:
        """Return whether a countdown is running or requested."""
        return self._requested or self._ends_s is not None

    @property
    def remaining_s(self) -> float | None:
        """Return the seconds left of the countdown; None if there is none."""
        return None if self._ends_s is None else max(0.0, self._ends_s - self._time_s)

    def correct(self, id_: int, probabilities: Probabilities) -> tuple[Probabilities, bool]:
        """Return a face's probabilities, and whether they were corrected; call it once a frame for each face."""
        face = self._faces.pop(id_, None) or _Face()
        self._faces[id_] = face
        if len(self._faces) > MAX_FACES:  # ids are never used twice: forget the face that was not seen for longest
            del self._faces[next(iter(self._faces))]
        if self._automatic:
            self._add_to_average(face, probabilities)
        if self._ends_s is not None:
            face.outputs.append(probabilities)
            return probabilities, False
        profile = face.profile or self.default
        if profile is not None:
            return profile.apply(probabilities), True
        average = face.average.profile() if face.average else None
        if average is not None:
            return average.apply(probabilities), True
        return probabilities, False

    def _add_to_average(self, face: _Face, probabilities: Probabilities) -> None:
        if face.average is None:
            face.average = NeutralAverage(self._labels, log_probabilities(probabilities), self._time_s)
        face.average.update(probabilities, self._time_s)

    def profile(self) -> NeutralProfile | None:
        """Return the profile to save: of the last countdown's main face, the default, or the longest average."""
        averages = [face.average for face in self._faces.values() if face.average]
        longest = max(averages, key=lambda average: average.seen_s, default=None)
        found = self._last_profile or self.default or (longest.profile() if longest else None)
        return replace(found, model=self._model) if found else None


def open_calibrator(text: str | None, detector: Detector, classifier: Classifier) -> Calibrator:
    """Make the calibrator for `--neutral`: seconds of a countdown, a picture, a saved profile, auto, or None.

    Raises UsageError, DataError or SourceError.
    """
    labels, model = classifier.card.labels, classifier.card.identity
    if text is None or text == "auto":
        return Calibrator(labels, automatic=text == "auto", model=model)
    path = Path(text)
    if path.suffix.lower() == PROFILE_SUFFIX:
        return Calibrator(labels, default=NeutralProfile.load(path, labels, model), model=model)
    if path.is_file():
        profile = profile_of(read_picture(path), detector, classifier, path.name)
        return Calibrator(labels, default=profile, model=model)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_COUNTDOWN_S:
        raise UsageError(
            f"expected --neutral with seconds up to {MAX_COUNTDOWN_S}, a picture, a saved profile or auto, found {text}"
            f"{', which does not exist' if path.suffix and not path.exists() else ''}"
        )
    calibrator = Calibrator(labels, seconds, model=model)
    calibrator.start()
    return calibrator

"""Give every tracked face the correction of its own neutral face; see edge.neutral."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import UsageError
from edge.neutral import NeutralProfile, log_probabilities, profile_of
from edge.sources.pictures import read_picture
from edge.values import Probabilities

AVERAGE_S = 180.0  # of the average: what was seen earlier fades
WAIT_S = 30.0  # before the average corrects
MAX_COUNTDOWN_S = 60
MAX_FACES = 100


@dataclass
class _Face:
    """Hold what is known of one tracked face."""

    outputs: list[Probabilities] = field(default_factory=list)  # of the running countdown
    profile: NeutralProfile | None = None
    average: NeutralAverage | None = None


@dataclass
class NeutralAverage:
    """Average the logarithms of a face's outputs over minutes: people are neutral most of the time.

    For people who do not hold still. It corrects once the face has been seen for `WAIT_S`.
    """

    labels: tuple[str, ...]
    mean_log: Probabilities
    first_s: float
    last_s: float

    def update(self, probabilities: Probabilities, time_s: float) -> None:
        """Add an output, [labels], at `time_s` (the source's time)."""
        span_s = min(max(time_s - self.first_s, 1e-3), AVERAGE_S)
        weight = np.float32(min(1.0, max(0.0, time_s - self.last_s) / span_s))
        self.mean_log = self.mean_log + weight * (log_probabilities(probabilities) - self.mean_log)
        self.last_s = time_s

    def profile(self) -> NeutralProfile | None:
        """Return the profile; None until the face has been seen for long enough."""
        return NeutralProfile(self.labels, self.mean_log) if self.last_s - self.first_s >= WAIT_S else None


class Calibrator:
    """Correct every tracked face by its own neutral face.

    `start` begins a countdown of `seconds`: each face that is there meanwhile has a profile of its own at the end.
    Faces without one have the `default` profile, if there is one. With `automatic`, all others are corrected by their
    own average over minutes.
    """

    def __init__(
        self,
        labels: Sequence[str],
        seconds: float = 3.0,
        default: NeutralProfile | None = None,
        automatic: bool = False,
    ) -> None:
        self.default = default
        self._labels = tuple(labels)
        self._seconds = seconds
        self._automatic = automatic
        self._time_s = 0.0
        self._ends_s: float | None = None  # of the running countdown, in the source's time
        self._requested = False
        self._faces: dict[int, _Face] = {}

    def start(self) -> None:
        """Begin a countdown at the next frame; it replaces earlier profiles of the faces that are there."""
        self._requested = True

    def begin_frame(self, time_s: float) -> None:
        """Start or end the countdown by the time of the frame."""
        self._time_s = time_s
        if self._requested:
            self._requested = False
            self._ends_s = time_s + self._seconds
        if self._ends_s is not None and time_s >= self._ends_s:
            self._ends_s = None
            for face in self._faces.values():
                if face.outputs:
                    face.profile = NeutralProfile.from_outputs(self._labels, face.outputs)
                    face.outputs = []

    @property
    def is_requested(self) -> bool:
        """Return whether a countdown begins at the next frame."""
        return self._requested

    @property
    def remaining_s(self) -> float | None:
        """Return the seconds left of the countdown; None if there is none."""
        return None if self._ends_s is None else max(0.0, self._ends_s - self._time_s)

    def correct(self, id_: int, probabilities: Probabilities) -> tuple[Probabilities, bool]:
        """Return a face's probabilities, and whether they were corrected; call it once a frame for each face."""
        face = self._faces.setdefault(id_, _Face())
        if len(self._faces) > MAX_FACES:  # ids are never used twice: forget the oldest
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
            mean_log = log_probabilities(probabilities)
            face.average = NeutralAverage(self._labels, mean_log, self._time_s, self._time_s)
        face.average.update(probabilities, self._time_s)

    def profile(self) -> NeutralProfile | None:
        """Return the profile to save: that of the face calibrated last or, without one, the default."""
        return next((face.profile for face in reversed(self._faces.values()) if face.profile), self.default)


def open_calibrator(text: str | None, detector: Detector, classifier: Classifier) -> Calibrator:
    """Make the calibrator of `--neutral`: seconds of a countdown, a picture, a saved profile, auto, or None.

    Raises UsageError, DataError or SourceError.
    """
    labels = classifier.card.labels
    if text is None:
        return Calibrator(labels)
    if text == "auto":
        return Calibrator(labels, automatic=True)
    path = Path(text)
    if path.suffix.lower() == ".json":
        return Calibrator(labels, default=NeutralProfile.load(path, labels))
    if path.is_file():
        return Calibrator(labels, default=profile_of(read_picture(path), detector, classifier, path.name))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_COUNTDOWN_S:
        raise UsageError(
            f"expected --neutral with seconds up to {MAX_COUNTDOWN_S}, a picture, a saved profile or auto, found {text}"
        )
    calibrator = Calibrator(labels, seconds)
    calibrator.start()
    return calibrator

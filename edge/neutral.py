"""Correct readings for how a person's face looks at rest.

People differ at rest: one face looks sad to a network, another angry, with nothing meant by it. The logarithm of what
the network says of a person's neutral face is subtracted from the logarithm of what it says of every other face of that
person. Strength and offset were chosen on JAFFE's people, each on the others: see `python -m benchmarks.end_to_end`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import DataError, UsageError
from edge.files import write_json
from edge.sources.pictures import read_picture
from edge.values import Image, Probabilities

NEUTRAL = "neutral"
STRENGTH = 0.9  # share of the neutral face's logarithm that is subtracted
OFFSET = 0.5  # added to neutral's logarithm afterwards: the neutral face itself would come out without any emotion
AVERAGE_S = 180.0  # of the average: what was seen earlier fades
MAX_COUNTDOWN_S = 60
MAX_FACES = 100
WAIT_S = 30.0  # before the average corrects
LEAST_PROBABILITY = 1 / 512  # int8 models answer in steps of 1/256: their 0 is anything below half a step


def log_probabilities(probabilities: Probabilities) -> Probabilities:
    """Return the logarithms of probabilities [..., labels], of an int8 model's zeros too."""
    return np.log(np.maximum(probabilities, np.float32(LEAST_PROBABILITY)))


@dataclass(frozen=True)
class NeutralProfile:
    """Hold what a model says of a person's neutral face: mean logarithms of the probabilities, [labels]."""

    labels: tuple[str, ...]
    mean_log: Probabilities
    name: str = ""

    def __post_init__(self) -> None:
        if NEUTRAL not in self.labels:
            raise UsageError(f"expected a model with the label {NEUTRAL}, found {', '.join(self.labels)}")
        if self.mean_log.shape != (len(self.labels),) or not np.isfinite(self.mean_log).all():
            raise DataError(f"expected {len(self.labels)} finite values in a neutral profile, found {self.mean_log}")

    @classmethod
    def from_outputs(cls, labels: Sequence[str], outputs: Sequence[Probabilities], name: str = "") -> NeutralProfile:
        """Make a profile from the model's outputs, [labels] each, on views of one neutral face."""
        return cls(tuple(labels), log_probabilities(np.stack(outputs)).mean(axis=0), name)

    def apply(self, probabilities: Probabilities, strength: float = STRENGTH, offset: float = OFFSET) -> Probabilities:
        """Return the corrected probabilities, [labels]."""
        logits = log_probabilities(probabilities) - np.float32(strength) * self.mean_log
        logits[self.labels.index(NEUTRAL)] += np.float32(offset)
        exponentials = np.exp(logits - logits.max())
        return np.asarray(exponentials / exponentials.sum(), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write the profile as JSON. Raises OutputError."""
        write_json(path, {"name": self.name, "labels": list(self.labels), "mean_log": self.mean_log.tolist()})

    @classmethod
    def load(cls, path: Path, labels: Sequence[str]) -> NeutralProfile:
        """Read a saved profile for a model with these labels. Raises DataError or UsageError."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            by_label = dict(zip(values["labels"], values["mean_log"], strict=True))
            mean_log = np.array([by_label[label] for label in labels], dtype=np.float32)
            return cls(tuple(labels), mean_log, str(values.get("name", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"expected a neutral profile for the labels {', '.join(labels)} in {path}, cannot read it: {error}"
            ) from error


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


def profile_of(image: Image, detector: Detector, classifier: Classifier, name: str = "") -> NeutralProfile:
    """Return the profile of the largest face of a picture. Raises DataError where no face is found."""
    faces = detector.detect(image)
    if not faces:
        raise DataError(f"expected a neutral face in {name or 'the picture'}, found no face; take another picture")
    return NeutralProfile.from_outputs(classifier.card.labels, [classifier.read_both_ways(image, faces[0].box)], name)


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

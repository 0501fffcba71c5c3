"""Correct readings for how a person's face looks at rest.

Some faces look sad or angry to a network at rest. The log probabilities of a person's neutral face are therefore
subtracted from those of every other reading of that person. Strength, offset and sharpness were chosen on five people
of JAFFE: see `python -m benchmarks.end_to_end`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import DataError, SourceError, UsageError
from edge.files import write_json
from edge.opencv import translate_errors
from edge.untrusted import parse_json, printable, read_bounded
from edge.values import Image, Probabilities

NEUTRAL = "neutral"
PROFILE_SUFFIX = ".json"  # of a saved profile; other files are pictures
STRENGTH = 1.0  # share of the neutral face's log probabilities that is subtracted
OFFSET = 1.25  # added to neutral's log probability: without it, the neutral face would have all emotions alike
SHARPNESS = 1.5  # factor of the corrected logarithms, which are too modest: log loss 0.95 before, 0.88 after
MAX_NAME = 100  # characters
MAX_LOG = 100  # of a log probability
MIN_PROBABILITY = 1 / 512  # half a step of an int8 model, whose 0 stands for anything below it


def log_probabilities(probabilities: Probabilities) -> Probabilities:
    """Return the logarithms of probabilities [..., labels]; finite for an int8 model's zeros too."""
    return np.log(np.maximum(probabilities, np.float32(MIN_PROBABILITY)))


@dataclass(frozen=True)
class NeutralProfile:
    """Hold the mean log probabilities of a person's neutral face, [labels], as one model sees it.

    `model` is the identity on that model's card. Raises UsageError or DataError.
    """

    labels: tuple[str, ...]
    mean_log: Probabilities
    name: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        if NEUTRAL not in self.labels:
            raise UsageError(f"expected a model with the label {NEUTRAL}, found {', '.join(self.labels)}")
        if self.mean_log.shape != (len(self.labels),) or not (np.abs(self.mean_log) <= MAX_LOG).all():
            raise DataError(
                f"expected {len(self.labels)} values from -{MAX_LOG} to {MAX_LOG} in a neutral profile, "
                f"found {self.mean_log.tolist()}"
            )

    @classmethod
    def from_outputs(
        cls, labels: Sequence[str], outputs: Sequence[Probabilities], name: str = "", model: str = ""
    ) -> NeutralProfile:
        """Make a profile from the model's outputs, [labels] each, on views of one neutral face."""
        return cls(tuple(labels), log_probabilities(np.stack(outputs)).mean(axis=0), name, model)

    def apply(self, probabilities: Probabilities, strength: float = STRENGTH, offset: float = OFFSET) -> Probabilities:
        """Return the corrected probabilities, [labels]."""
        logits = log_probabilities(probabilities) - np.float32(strength) * self.mean_log
        logits[self.labels.index(NEUTRAL)] += np.float32(offset)
        exponentials = np.exp(np.float32(SHARPNESS) * (logits - logits.max()))
        return np.asarray(exponentials / exponentials.sum(), dtype=np.float32)

    def save(self, path: Path | str) -> None:
        """Write the profile as JSON. Raises OutputError."""
        values = {"labels": list(self.labels), "mean_log": self.mean_log.tolist(), "model": self.model}
        write_json(Path(path), {"name": self.name, **values})

    @classmethod
    def load(cls, path: Path, labels: Sequence[str], model: str = "") -> NeutralProfile:
        """Read a saved profile for the model with these labels and this identity. Raises DataError or UsageError."""
        try:
            values = parse_json(read_bounded(path))
            by_label = dict(zip(values["labels"], values["mean_log"], strict=True))
            with np.errstate(over="ignore"):  # an infinite value is refused below
                mean_log = np.array([by_label[label] for label in labels], dtype=np.float32)
            name = printable(str(values.get("name", "")))[:MAX_NAME]
            profile = cls(tuple(labels), mean_log, name, str(values.get("model", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DataError(
                f"expected a neutral profile for the labels {', '.join(labels)} in {path}, cannot read it: "
                f"{printable(str(error))[:200]}"
            ) from error
        profile.check_model(model, str(path))
        return profile

    def check_model(self, model: str, place: str) -> None:
        """Raise DataError unless the profile is of the model with this identity: each model sees another face."""
        if self.model != model:
            raise DataError(
                f"expected {place} to be of the model that runs, found a neutral profile of another model; "
                "make a new one with --save-neutral"
            )


def profile_of(image: Image, detector: Detector, classifier: Classifier, name: str = "") -> NeutralProfile:
    """Return the profile of the largest face of a picture. Raises DataError where no face is found.

    Raises SourceError if OpenCV cannot work on a picture of that size.
    """
    with translate_errors(SourceError, f"cannot find a face in {name or 'the picture'} with {detector.name}"):
        faces = detector.detect(image)
    if not faces:
        raise DataError(f"expected a neutral face in {name or 'the picture'}, found no face; take another picture")
    outputs = classifier.read_both_ways(image, faces[0].box)
    return NeutralProfile.from_outputs(classifier.card.labels, [outputs], name, classifier.card.identity)

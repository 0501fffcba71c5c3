"""The parity gate: an exported file against the Keras model it was made from, on real faces.

python -m export.verify runs/NAME/emotion_int8.tflite --against runs/NAME/model.keras --data data/fer2013
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.arguments import ArgumentParser
from edge.backend import open_backend
from edge.errors import ModelError, ParityError, exit_status
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.preprocess import crop, to_face
from edge.sources.demo import FACE_CENTRE, PHOTOGRAPH
from edge.values import Box, Probabilities
from train.data import FaceSet, validation
from train.forms import FACE_SIZE
from train.metrics import mcnemar, wilson
from train.predict import predict
from train.progress import progress

DATA = Path("data/fer2013")  # where the README unpacks it
PORTRAIT = "the demo portrait"
FLIPS = 5  # kinds of them that are named
CHANCE = 0.05  # p below which a difference is none of chance


@dataclass(frozen=True)
class Limits:
    """What a file of some precision must hold; shares of the faces and of 1."""

    agreement: float
    accuracy_loss: float
    difference: float


LIMITS = {
    "float32": Limits(agreement=0.999, accuracy_loss=0.001, difference=1e-4),
    "float16": Limits(agreement=0.99, accuracy_loss=0.002, difference=0.1),
    "dynamic": Limits(agreement=0.97, accuracy_loss=0.005, difference=1.0),
    "int8": Limits(agreement=0.97, accuracy_loss=0.005, difference=1.0),
}


@dataclass(frozen=True)
class Parity:
    """An export beside its Keras model on the same faces; accuracies only where the faces have labels."""

    split: str
    faces: int
    agreement: float  # share of faces that get the same emotion
    largest_difference: float  # of any probability of any face
    mean_difference: float
    flips: dict[str, int]  # the commonest: "fear to sad" -> faces that Keras calls fear and the file sad
    keras_accuracy: float | None = None
    accuracy: float | None = None
    mcnemar_p: float | None = None  # of the two accuracies being one

    def __str__(self) -> str:
        judged = "accuracy not measured"
        if self.accuracy is not None:
            judged = f"accuracy {self.accuracy:.2%} (Keras {self.keras_accuracy:.2%}, McNemar p {self.mcnemar_p:.2g})"
        return (
            f"{judged}  agreement {self.agreement:.2%} of {self.faces} faces of {self.split}  "
            f"largest difference {self.largest_difference:.2g}, mean {self.mean_difference:.2g}"
        )

    def to_json(self) -> dict[str, Any]:
        """For the card: only what was measured."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def flipped(self) -> str:
        """Which emotions changed, in words."""
        return ", ".join(f"{flip} {count}" for flip, count in self.flips.items()) or "none"

    def holds(self, limits: Limits) -> bool:
        """Whether the limits hold; a few faces too little are forgiven only as far as they may be chance.

        That is, agreement fails where its 95% interval lies below the limit, accuracy where the loss is above the limit
        and McNemar's test calls it none of chance: 28 faces cannot tell 96% from 97%, 3,579 can tell 96% from 97%.
        """
        same = round(self.agreement * self.faces)
        loss = 0.0 if self.accuracy is None or self.keras_accuracy is None else self.keras_accuracy - self.accuracy
        lost = loss > limits.accuracy_loss and (self.mcnemar_p or 0.0) < CHANCE
        agrees = wilson(same, self.faces)[1] >= limits.agreement
        return agrees and not lost and self.largest_difference <= limits.difference

    def check(self, precision: str, path: Path) -> None:
        """Raise ParityError where the file does not hold what its precision must, ModelError for an unknown one."""
        if precision not in LIMITS:
            raise ModelError(f"expected a precision {' or '.join(LIMITS)} in {path}, found {precision!r}")
        limits = LIMITS[precision]
        if not self.holds(limits):
            raise ParityError(
                f"{path.name} does not hold against its Keras model: {self}; flips: {self.flipped()}; expected "
                f"agreement >= {limits.agreement:.1%}, accuracy loss <= {limits.accuracy_loss:.1%}, "
                f"difference <= {limits.difference:g}; nothing was written"
            )


def compare(faces: FaceSet, reference: Probabilities, exported: Probabilities) -> Parity:
    """Both probabilities are [n, 7], for the same faces in the same order."""
    theirs, ours = reference.argmax(1), exported.argmax(1)
    pairs = zip(theirs[theirs != ours], ours[theirs != ours], strict=True)
    flips = Counter(f"{EMOTIONS[before]} to {EMOTIONS[after]}" for before, after in pairs)
    found = Parity(
        split=faces.split,
        faces=len(faces),
        agreement=float((theirs == ours).mean()),
        largest_difference=float(np.abs(reference - exported).max()),
        mean_difference=float(np.abs(reference - exported).mean()),
        flips=dict(sorted(flips.items(), key=lambda item: (-item[1], item[0]))[:FLIPS]),
    )
    if faces.split == PORTRAIT:
        return found
    right, was_right = ours == faces.labels, theirs == faces.labels
    return replace(
        found,
        keras_accuracy=float(was_right.mean()),
        accuracy=float(right.mean()),
        mcnemar_p=mcnemar(right, was_right),
    )


def validation_faces(data: Path | None) -> FaceSet:
    """PublicTest, or what `train` held out.

    Without a data set, the demo's portrait cropped in 75 ways: it shows a broken file, no accuracy.
    """
    if data is not None:
        return validation(data)
    photograph = np.asarray(cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    x, y = (round(place) for place in FACE_CENTRE)
    views = [
        to_face(crop(photograph, Box(x - side // 2 + right, y - side // 2 + down, side, side)), FACE_SIZE)
        for side in (100, 120, 140)
        for right in (-20, -10, 0, 10, 20)
        for down in (-20, -10, 0, 10, 20)
    ]
    return FaceSet(np.stack(views), np.full(len(views), -1), ("",) * len(views), PORTRAIT)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m export.verify", __doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".tflite or .onnx files")
    parser.add_argument("--against", type=Path, required=True, help="the Keras model they were made from")
    add_data(parser)
    return parser.parse_args(argv)


def add_data(parser: argparse.ArgumentParser) -> None:
    """The argument --data: what is named must be there, the usual place may be empty."""
    usual = DATA if DATA.exists() else None
    parser.add_argument(
        "--data", type=Path, default=usual, help=f"data set; {DATA} where it is there, else {PORTRAIT} alone"
    )


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: verify(args))


def verify(args: argparse.Namespace) -> int:
    precisions = [open_backend(file).card.precision for file in args.files]
    everything = [args.against, *args.files]
    faces = validation_faces(args.data)
    with progress() as stage:
        reference, *exported = (predict(file, faces.images, stage(file.name, len(faces))) for file in everything)
    for file, precision, probabilities in zip(args.files, precisions, exported, strict=True):
        parity = compare(faces, reference, probabilities)
        print(f"{file}  {parity}  flips: {parity.flipped()}")
        parity.check(precision, file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

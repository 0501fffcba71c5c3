"""Verify an exported file against the Keras model it was made from, on real faces.

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
from train.data import HELD_OUT, FaceSet, evaluation_faces, load, split_of
from train.layouts.base import FACE_SIZE
from train.metrics import mcnemar, wilson
from train.predict import predict
from train.progress import progress
from train.recipe import Recipe, recipe_of
from train.runs import check_model_file

DATA = Path("data/fer2013")  # where the README unpacks it
PORTRAIT = "the demo portrait"
MAX_FLIPS = 5  # kinds of changed labels that are named
TIED = 0.01  # of a probability; two or three steps of int8: labels as near as that may change places
NEAR = 0.05  # of a probability; answers that hardly vary over the faces may be rounded by as much
MOST_UNEXPLAINED = 0.25  # see Parity.unexplained
SIGNIFICANCE = 0.05  # p below which a difference in accuracy is not put down to chance


@dataclass(frozen=True)
class Limits:
    """Define what a file of some precision must meet; fractions of the faces, and of a probability of 1."""

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
    """Compare an exported file with its Keras model on the same faces; accuracies only if the faces have labels."""

    split: str
    faces: int
    agreement: float  # share of faces that get the same emotion
    largest_difference: float  # of any probability of any face
    mean_difference: float
    flips: dict[str, int]  # the commonest: "fear to sad" -> faces that are fear to Keras and sad to the file
    keras_accuracy: float | None = None
    accuracy: float | None = None
    mcnemar_p: float | None = None  # of both having the same accuracy
    # Share of the variance of Keras' probabilities over the faces that the file misses; a constant answer misses all.
    unexplained: float | None = None

    def __str__(self) -> str:
        accuracy = "accuracy not measured"
        if self.accuracy is not None:
            accuracy = f"accuracy {self.accuracy:.2%} (Keras {self.keras_accuracy:.2%}, McNemar p {self.mcnemar_p:.2g})"
        return (
            f"{accuracy}  agreement {self.agreement:.2%} of {self.faces} faces of {self.split}  "
            f"largest difference {self.largest_difference:.2g}, mean {self.mean_difference:.2g}"
            + ("" if self.unexplained is None else f", {self.unexplained:.1%} of the variance unexplained")
        )

    def to_json(self) -> dict[str, Any]:
        """Return what was measured, for the card."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def flipped(self) -> str:
        """Return the changed labels as text."""
        return ", ".join(f"{flip} {count}" for flip, count in self.flips.items()) or "none"

    def meets(self, limits: Limits) -> bool:
        """Return whether the file meets the limits, allowing for chance.

        Agreement fails if its 95% interval lies below the limit; accuracy fails if the loss exceeds the limit and
        McNemar's test finds it significant. 28 faces cannot tell 96% from 97%, 3,579 can. Labels that were TIED may
        change. The file's probabilities must follow those of Keras from face to face, unless all are NEAR: where most
        faces have one emotion, a file that always names it agrees.
        """
        agreeing = round(self.agreement * self.faces)
        loss = 0.0 if self.accuracy is None or self.keras_accuracy is None else self.keras_accuracy - self.accuracy
        lost = loss > limits.accuracy_loss and (self.mcnemar_p or 0.0) < SIGNIFICANCE
        agrees = wilson(agreeing, self.faces)[1] >= limits.agreement
        tied = self.largest_difference <= TIED
        follows = self.unexplained is not None and self.unexplained <= MOST_UNEXPLAINED
        near = self.largest_difference <= NEAR or self.unexplained is None
        alike = (agrees and (follows or near)) or (tied and follows)
        return alike and not lost and self.largest_difference <= limits.difference

    def check(self, precision: str, path: Path) -> None:
        """Raise ParityError if the file does not meet its precision's limits, ModelError for an unknown precision."""
        if precision not in LIMITS:
            raise ModelError(f"expected a precision {' or '.join(LIMITS)} in {path}, found {precision!r}")
        limits = LIMITS[precision]
        if not self.meets(limits):
            raise ParityError(
                f"{path.name} does not match its Keras model: expected agreement >= {limits.agreement:.1%}, accuracy "
                f"loss <= {limits.accuracy_loss:.1%}, difference <= {limits.difference:g} and at most "
                f"{MOST_UNEXPLAINED:.0%} of the variance unexplained, found {self}; "
                f"flips: {self.flipped()}"
            )


def compare(faces: FaceSet, reference: Probabilities, exported: Probabilities) -> Parity:
    """Return the parity of two models' probabilities, both [n, classes] for the same faces in the same order."""
    before = reference.argmax(1)
    after = exported.argmax(1)
    changed = before != after
    flips = Counter(
        f"{faces.classes[old]} to {faces.classes[new]}"
        for old, new in zip(before[changed], after[changed], strict=True)
    )
    parity = Parity(
        split=faces.split,
        faces=len(faces),
        agreement=float((~changed).mean()),
        largest_difference=float(np.abs(reference - exported).max()),
        mean_difference=float(np.abs(reference - exported).mean()),
        flips=dict(sorted(flips.items(), key=lambda item: (-item[1], item[0]))[:MAX_FLIPS]),
        unexplained=_unexplained(reference, exported),
    )
    if faces.split in (PORTRAIT, "train"):  # the accuracy of faces that it has learned says nothing
        return parity
    correct_before = before == faces.labels
    correct_after = after == faces.labels
    return replace(
        parity,
        keras_accuracy=float(correct_before.mean()),
        accuracy=float(correct_after.mean()),
        mcnemar_p=mcnemar(correct_after, correct_before),
    )


def _unexplained(reference: Probabilities, exported: Probabilities) -> float:
    """Return the share of the reference's variance over the faces, at most 1, that the other probabilities miss."""
    variance = float(((reference - reference.mean(axis=0)) ** 2).sum())
    return min(1.0, float(((reference - exported) ** 2).sum()) / variance) if variance else 1.0


def data_of(model: Path) -> Path | None:
    """Return the data set that a model was trained on or, for the seven emotions, the usual one; None if not here."""
    recipe = recipe_of(model)
    if recipe and recipe.data and Path(recipe.data).exists():
        return Path(recipe.data)
    return usual_data(recipe or Recipe(data=""))


def usual_data(recipe: Recipe) -> Path | None:
    """Return the usual data set if it is here and has two or more of the classes, and others only to be ignored."""
    emotions = set(EMOTIONS) - set(recipe.ignore)
    return DATA if DATA.exists() and len(emotions) > 1 and emotions <= set(recipe.classes) else None


def validation_faces(data: Path | None, recipe: Recipe | None = None) -> FaceSet:
    """Return PublicTest, or what `train` held out for validation; labels are those of the model's recipe, if any.

    Without PublicTest, a model that has learned from all faces is compared on these. Without a data set, return the
    demo's portrait cropped in 75 ways, and the negatives of these: enough to show a broken file, but no accuracy.
    """
    recipe = recipe or Recipe(data="")
    if data is None:
        return _portrait(recipe.classes)
    if recipe.validation == HELD_OUT:
        return evaluation_faces(data, recipe.labels, recipe.ignore).of_classes(recipe.classes)
    splits = load(data, ("train", "public"), labels=recipe.labels, ignore=recipe.ignore)
    return (splits["public"] if "public" in splits else split_of(splits, "train", data)).of_classes(recipe.classes)


def _portrait(classes: tuple[str, ...]) -> FaceSet:
    photograph = np.asarray(cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    x, y = (round(coordinate) for coordinate in FACE_CENTRE)
    faces = [
        to_face(crop(photograph, Box(x - side // 2 + right, y - side // 2 + down, side, side)), FACE_SIZE)
        for side in (100, 120, 140)
        for right in (-20, -10, 0, 10, 20)
        for down in (-20, -10, 0, 10, 20)
    ]
    images = np.concatenate([faces, [255 - face for face in faces]])  # the portrait smiles; its negatives differ
    return FaceSet(images, np.full(len(images), -1), ("",) * len(images), PORTRAIT, classes)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m export.verify", __doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".tflite or .onnx files")
    parser.add_argument("--against", type=Path, required=True, help="the Keras model they were made from")
    add_data(parser)
    return parser.parse_args(argv)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the argument --data; see data_of for a command without it."""
    parser.add_argument(
        "--data",
        type=Path,
        help=f"data set; if not given, the one that the model was trained on or {DATA}, if it exists, else {PORTRAIT}",
    )


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: verify(args.files, args.against, args.data))


def verify(files: list[Path], against: Path, data: Path | None) -> int:
    """Print the parity of each file with its Keras model; raise ParityError for the first that fails its limits."""
    precisions = [open_backend(file).card.precision for file in files]
    check_model_file(against)
    faces = validation_faces(data or data_of(against), recipe_of(against))
    with progress() as stage:
        reference, *exported = (
            predict(path, faces.images, stage(path.name, len(faces)), faces.classes) for path in (against, *files)
        )
    for file, precision, probabilities in zip(files, precisions, exported, strict=True):
        parity = compare(faces, reference, probabilities)
        print(f"{file}  {parity}  flips: {parity.flipped()}")
        parity.check(precision, file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

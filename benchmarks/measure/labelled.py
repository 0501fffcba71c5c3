"""List labelled pictures of whole scenes, detect the largest face of each, and classify it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import DataError, SourceError
from edge.label_names import SYNONYMS
from edge.labels import EMOTIONS
from edge.picture import read_picture
from edge.values import Face, Image, Probabilities
from train.predict import by_class
from train.progress import Advance, no_progress

PERSON = r"^([A-Z]{2})\.[A-Z]{2}\d"  # JAFFE: KA.AN1.39.tiff is a picture of KA


@dataclass(frozen=True)
class LabelledPicture:
    """Name a picture's file, its label (index into EMOTIONS) and its person, if the file name says who it is."""

    path: Path
    label: int
    person: str


def labelled_pictures(folder: Path, person: str = PERSON) -> list[LabelledPicture]:
    """List the pictures of `folder`/<emotion>/*; `person` is a pattern whose group names the person in a file name.

    Raises DataError if there are none.
    """
    pictures = []
    for class_folder in sorted(item for item in folder.glob("*") if item.is_dir()):
        name = SYNONYMS.get(class_folder.name.lower(), class_folder.name.lower())
        if name not in EMOTIONS:
            continue
        for path in sorted(item for item in class_folder.iterdir() if item.is_file() and not item.name.startswith(".")):
            match = re.search(person, path.name)
            pictures.append(LabelledPicture(path, EMOTIONS.index(name), match[1] if match else ""))
    if not pictures:
        raise DataError(f"expected folders {', '.join(EMOTIONS)} with pictures in {folder}, found none; check --data")
    return pictures


def detect_largest(
    detector: Detector, pictures: Sequence[LabelledPicture], advance: Advance = no_progress
) -> list[tuple[Image, Face] | None]:
    """Return each picture with its largest face; None where the detector misses it or the picture is damaged."""
    faces: list[tuple[Image, Face] | None] = []
    for picture in pictures:
        faces.append(_largest(detector, picture.path))
        advance()
    return faces


def _largest(detector: Detector, path: Path) -> tuple[Image, Face] | None:
    try:
        image = read_picture(path)
    except SourceError:
        return None
    faces = detector.detect(image)
    return (image, faces[0]) if faces else None


def read_faces(classifier: Classifier, faces: Sequence[tuple[Image, Face] | None]) -> Probabilities:
    """Return probabilities [n, 7] in the order of EMOTIONS; a missed face has zeros, so that it counts as wrong."""
    rows = np.zeros((len(faces), len(EMOTIONS)), dtype=np.float32)
    for i, item in enumerate(faces):
        if item is not None:
            image, face = item
            rows[i] = by_class(classifier.read_both_ways(image, face.box), classifier.card)
    return rows


def is_correct(labels: npt.NDArray[np.int64], probabilities: Probabilities) -> npt.NDArray[np.bool_]:
    """Return whether each row names its label, bool [n]; a row of zeros (a missed face) does not."""
    return (probabilities.argmax(axis=1) == labels) & (probabilities.max(axis=1) > 0)

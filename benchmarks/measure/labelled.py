"""List labelled pictures of whole scenes, detect the largest face of each, and classify it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure.detectors import detect
from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import DataError, SourceError
from edge.label_names import SYNONYMS
from edge.labels import EMOTIONS
from edge.picture import read_picture
from edge.untrusted import printable
from edge.values import Face, Image, Probabilities
from train.layouts.folders import is_picture
from train.predict import by_class
from train.progress import Advance, no_progress

REACH = 2  # sides of a face's box that are kept in each direction: enough for margins of up to 1.5
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
    for path in only_pictures(folder, (item for item in folder.glob("*/*") if _emotion(item) in EMOTIONS)):
        match = re.search(person, path.name)
        pictures.append(LabelledPicture(path, EMOTIONS.index(_emotion(path)), (match[1] or "") if match else ""))
    if not pictures:
        raise DataError(f"expected folders {', '.join(EMOTIONS)} with pictures in {folder}, found none; check --data")
    return pictures


def _emotion(path: Path) -> str:
    name = path.parent.name.lower()
    return SYNONYMS.get(name, name)


def only_pictures(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """Return the files below a folder that are pictures, sound or damaged, sorted; count the others on stderr."""
    files = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    pictures = [file for file in files if is_picture(file)]
    if others := sorted({*files} - {*pictures}):
        example = others[0].relative_to(folder)
        print(printable(f"left out of {folder}: {len(others)} that are no pictures, as {example}"), file=sys.stderr)
    return pictures


def detect_largest(
    detector: Detector, pictures: Sequence[LabelledPicture], advance: Advance = no_progress
) -> list[tuple[Image, Face] | None]:
    """Return the largest face of each picture, with what surrounds it, so that thousands of pictures fit in memory.

    None stands for a face that the detector misses, and for a damaged picture.
    """
    faces: list[tuple[Image, Face] | None] = []
    for picture in pictures:
        faces.append(_largest(detector, picture.path))
        advance()
    return faces


def _largest(detector: Detector, path: Path) -> tuple[Image, Face] | None:
    try:
        image = read_picture(path)
    except SourceError as error:
        print(printable(f"no face is found: {error}"), file=sys.stderr)
        return None
    faces = detect(detector, image, path)
    return surroundings(image, faces[0]) if faces else None


def surroundings(image: Image, face: Face) -> tuple[Image, Face]:
    """Return a copy of the part of a picture around a face, and the face in it; crops of it stay as they were."""
    reach = REACH * max(face.box.width, face.box.height)
    x, y = map(round, face.box.centre)
    left, top = (max(0, middle - reach) // 2 * 2 for middle in (x, y))  # an odd shift would change what .5 rounds to
    return image[top : y + reach, left : x + reach].copy(), replace(face, box=face.box.moved(-left, -top))


def read_faces(classifier: Classifier, faces: Sequence[tuple[Image, Face] | None]) -> Probabilities:
    """Return probabilities [n, 7] in the order of EMOTIONS; a missed face has zeros, so that it counts as wrong."""
    rows = np.zeros((len(faces), len(EMOTIONS)), dtype=np.float32)
    for i, item in enumerate(faces):
        if item is not None:
            image, face = item
            rows[i] = by_class(classifier.read_both_ways(image, face.box), classifier.card)
    return rows


def is_correct(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, at_least: float = 0.0
) -> npt.NDArray[np.bool_]:
    """Return whether each row names its label, bool [n]; a row of zeros (a missed face) does not.

    `at_least` is the probability that it takes: below edge.smoother.UNCERTAIN_BELOW, a face is shown as uncertain.
    """
    highest = probabilities.max(axis=1)
    return (probabilities.argmax(axis=1) == labels) & (highest > 0) & (highest >= at_least)

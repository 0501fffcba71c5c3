"""Load FER-2013 as faces with labels, in the splits of its authors (train.forms reads the files).

The splits are `train` (Training), `public` (PublicTest), `private` (PrivateTest), and `test` for test faces whose names
do not tell which of the two tests they belong to. Epochs and hyperparameters are chosen on a held-out tenth of Training
unless PublicTest is asked for (`--validation`); see train_val_split.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Image
from train import forms

DATA = Path("data/fer2013")  # where the README unpacks it
SPLITS = ("train", "public", "private", "test")
HELD_OUT = "held-out"  # the name of the tenth of Training, as a split and as a choice of --validation
VALIDATIONS = (HELD_OUT, "public")
HELD_OUT_SHARE = 0.1  # of each emotion's training faces
LISTED = 3  # damaged faces listed by name; all are counted


@dataclass(frozen=True)
class FaceSet:
    """Faces of one split: images uint8 [n, 48, 48] grey, labels int64 [n] into EMOTIONS, names of their files."""

    images: Image
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]
    split: str

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> FaceSet:
        """Return the faces at these indices, in this order."""
        return FaceSet(self.images[indices], self.labels[indices], tuple(self.names[i] for i in indices), self.split)

    def digests(self) -> list[bytes]:
        """Return a hash of each face's pixels: equal pixels, equal digest."""
        return [hashlib.sha1(image.tobytes()).digest() for image in self.images]


def load(path: Path, splits: Iterable[str] = SPLITS, strict: bool = False) -> dict[str, FaceSet]:
    """Read the requested splits of a data set in any supported form; splits without faces are left out.

    Damaged images and rows are skipped, counted and listed on stderr. Raises DataError if there is no data set, if an
    emotion has no faces in a split, and, if `strict`, if anything is damaged.
    """
    rows: dict[str, list[forms.Row]] = {}
    damaged = []
    for item in forms.read(path, set(splits)):
        if isinstance(item, forms.Row):
            rows.setdefault(item.split, []).append(item)
        elif strict:
            raise DataError(f"damaged: {item.location}: {item.reason}; remove it, or leave out --strict")
        else:
            damaged.append(item)
    if damaged:
        listed = "; ".join(f"{item.location}: {item.reason}" for item in damaged[:LISTED])
        more = f"; and {len(damaged) - LISTED} more" if len(damaged) > LISTED else ""
        print(f"skipped {len(damaged)} damaged: {listed}{more}", file=sys.stderr)
    return {split: _face_set(rows[split], split, path) for split in SPLITS if split in rows}


def _face_set(rows: list[forms.Row], split: str, path: Path) -> FaceSet:
    labels = np.array([row.label for row in rows], dtype=np.int64)
    missing = [emotion for i, emotion in enumerate(EMOTIONS) if i not in labels]
    if missing:
        raise DataError(f"expected all seven emotions in the split '{split}' of {path}, found no {', '.join(missing)}")
    return FaceSet(np.stack([row.image for row in rows]), labels, tuple(row.name for row in rows), split)


def split_of(faces: dict[str, FaceSet], split: str, path: Path) -> FaceSet:
    """Return a split; DataError lists the splits of the data set if it is not among them."""
    if split not in faces:
        raise DataError(f"expected faces of the split '{split}' in {path}, found {', '.join(faces) or 'none'}")
    return faces[split]


def train_val_split(faces: dict[str, FaceSet], path: Path, validation: str = HELD_OUT) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and the validation faces, which epochs and hyperparameters are chosen on.

    `held-out`: a tenth of each emotion's Training faces, the same every time. Copies of an image are on the same side.
    `public`: all of Training, and PublicTest. Raises DataError if the data set lacks the splits.
    """
    train = split_of(faces, "train", path)
    if validation == "public":
        return train, split_of(faces, "public", path)
    held_out = np.zeros(len(train), dtype=bool)
    _, groups = np.unique(np.array(train.digests()), return_inverse=True)
    for label in range(len(EMOTIONS)):
        candidates = np.unique(groups[train.labels == label])
        count = max(1, round(HELD_OUT_SHARE * len(candidates)))
        held_out |= np.isin(groups, np.random.default_rng(label).permutation(candidates)[:count])
    rest = train.take(np.flatnonzero(~held_out))
    return rest, replace(train.take(np.flatnonzero(held_out)), split=HELD_OUT)


def evaluation_split(faces: dict[str, FaceSet], path: Path) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and those to report on: PublicTest or, without it, the held-out tenth of Training."""
    return train_val_split(faces, path, "public" if "public" in faces else HELD_OUT)


def evaluation_faces(path: Path) -> FaceSet:
    """Load the faces to report on, without reading Training if there is PublicTest; see evaluation_split."""
    faces = load(path, ("public",))
    return faces["public"] if faces else train_val_split(load(path, ("train",)), path)[1]


def seen_in(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Return which faces are pixel for pixel in `other` too, bool [n]; FER-2013 has hundreds across its splits."""
    digests = set(other.digests())
    return np.array([digest in digests for digest in faces.digests()], dtype=bool)

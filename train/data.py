"""FER-2013 -> faces with labels, split as the data set's authors split it (train.forms reads it).

The splits bear FER-2013's own names: `train` to learn from, `public` (PublicTest) to choose on, `private` (PrivateTest)
to report on, once; `test` is both tests where nothing tells them apart.
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

SPLITS = ("train", "public", "private", "test")
HELD_OUT, HELD_OUT_SHARE = "held-out", 0.1  # of the training faces, to choose on where there is no PublicTest
NAMED = 3  # damaged faces that are named; all are counted


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
        """The faces at these positions, in this order."""
        return FaceSet(self.images[indices], self.labels[indices], tuple(self.names[i] for i in indices), self.split)

    def digests(self) -> list[bytes]:
        """A hash a face over its pixels alone: equal pixels, equal digest."""
        return [hashlib.sha1(image.tobytes()).digest() for image in self.images]


def load(path: Path, splits: Iterable[str] = SPLITS, strict: bool = False) -> dict[str, FaceSet]:
    """Read a data set; its form is found out by looking.

    Returns only the splits asked for that have faces. Damaged pictures and rows are skipped, counted and named on
    stderr. Raises DataError where there is no data set, where an emotion has no faces in a split and, if `strict`,
    where anything is damaged.
    """
    wanted = set(splits)
    found: dict[str, list[forms.Row]] = {}
    damaged = []
    for item in forms.read(path, wanted):
        if isinstance(item, forms.Row):
            found.setdefault(item.split, []).append(item)
        elif strict:
            raise DataError(f"damaged: {item.where}: {item.why}; take it away, or leave out --strict")
        else:
            damaged.append(item)
    if damaged:
        named = "; ".join(f"{item.where}: {item.why}" for item in damaged[:NAMED])
        more = f"; and {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
        print(f"skipped {len(damaged)} damaged: {named}{more}", file=sys.stderr)
    return {split: _face_set(found[split], split, path) for split in SPLITS if split in found}


def _face_set(rows: list[forms.Row], split: str, path: Path) -> FaceSet:
    labels = np.array([row.label for row in rows], dtype=np.int64)
    missing = [emotion for i, emotion in enumerate(EMOTIONS) if i not in labels]
    if missing:
        raise DataError(f"expected all seven emotions in the split '{split}' of {path}, found no {', '.join(missing)}")
    return FaceSet(np.stack([row.image for row in rows]), labels, tuple(row.name for row in rows), split)


def split_of(faces: dict[str, FaceSet], split: str, path: Path) -> FaceSet:
    """The split, or a DataError that says what is there instead."""
    if split not in faces:
        raise DataError(f"expected faces of the split '{split}' in {path}, found {', '.join(faces) or 'none'}")
    return faces[split]


def train_val_split(faces: dict[str, FaceSet], path: Path) -> tuple[FaceSet, FaceSet]:
    """The faces to learn from and those to choose on: PublicTest or, where there is none, a tenth of the training's.

    That tenth is the same each time, has a tenth of each emotion, and no picture that is among the rest as well.
    """
    train = split_of(faces, "train", path)
    if "public" in faces:
        return train, faces["public"]
    held = np.zeros(len(train), dtype=bool)
    _, groups = np.unique(np.array(train.digests()), return_inverse=True)
    for label in range(len(EMOTIONS)):
        own = np.unique(groups[train.labels == label])
        chosen = np.random.default_rng(label).permutation(own)[: max(1, round(HELD_OUT_SHARE * len(own)))]
        held |= np.isin(groups, chosen)
    return train.take(np.flatnonzero(~held)), replace(train.take(np.flatnonzero(held)), split=HELD_OUT)


def validation(path: Path) -> FaceSet:
    """The faces to choose on, and to hold exported files against; see train_val_split."""
    faces = load(path, ("public",))
    return faces["public"] if faces else train_val_split(load(path, ("train",)), path)[1]


def seen_in(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Which faces are pixel for pixel in `other` too; bool [n]. FER-2013 has hundreds of these across its splits."""
    known = set(other.digests())
    return np.array([digest in known for digest in faces.digests()], dtype=bool)

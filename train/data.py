"""Load a data set as faces with labels, in its splits (train.forms reads the files).

The splits are those of FER-2013's authors: `train` (Training), `public` (PublicTest, or the validation faces of another
data set), `private` (PrivateTest), and `test` for test faces whose names do not tell which of the two tests they belong
to. Epochs and hyperparameters are chosen on a held-out tenth of Training unless PublicTest or folds are asked for
(`--validation`); see train_val_split and stratified_folds.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.card import MAX_LABEL
from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.untrusted import printable
from train import forms
from train.layouts.base import FACE_SIZE, Damaged, Ignored, Note, PassedOver, Request, Row, Unread
from train.progress import progress
from train.store import Images, Names, Pictures, Store, take_names

DATA = Path("data/fer2013")  # where the README unpacks it
SPLITS = ("train", "public", "private", "test")
HELD_OUT = "held-out"  # the name of the tenth of Training, as a split and as a choice of --validation
FOLDS = "folds"  # the same of the folds of a small data set
VALIDATIONS = (HELD_OUT, "public", FOLDS)
HELD_OUT_SHARE = 0.1  # of each emotion's training faces
FOLD_COUNT = 5
# A tenth of fewer faces is not enough to choose an epoch by: the accuracy of 50 faces is known to +-14 points.
FEW_FACES = 500
LISTED = 3  # damaged faces listed by name; all are counted


@dataclass(frozen=True)
class FaceSet:
    """Faces of one split: images uint8 [n, 48, 48] grey, labels int64 [n] into `classes`, names of their files.

    The images of a data set stay on disk (train.store): a slice or an array of indices reads those that it names.
    """

    images: Images
    labels: npt.NDArray[np.int64]
    names: Sequence[str]
    split: str
    classes: tuple[str, ...] = EMOTIONS

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> FaceSet:
        """Return the faces at these indices, in this order."""
        names = take_names(self.names, indices)
        return replace(self, images=self.images.take(indices, axis=0), labels=self.labels[indices], names=names)

    def counts(self) -> npt.NDArray[np.int64]:
        """Return the number of faces of each class, int64 [classes]."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def of_classes(self, classes: Sequence[str]) -> FaceSet:
        """Return the same faces with labels into these classes. Raises DataError for faces of any other class."""
        there = [name for name, count in zip(self.classes, self.counts(), strict=True) if count]
        if others := [name for name in there if name not in classes]:
            hint = "" if len(others) == len(there) else f"; leave them out with --ignore {','.join(others)}"
            raise DataError(
                f"expected faces of the classes {', '.join(classes)} in {self.split}, found {', '.join(others)}{hint}"
            )
        indices = np.array([classes.index(name) if name in there else -1 for name in self.classes], dtype=np.int64)
        return replace(self, labels=indices[self.labels], classes=tuple(classes))

    def digests(self) -> npt.NDArray[np.bytes_]:
        """Return a hash of each face's pixels, bytes of length 20, [n]: equal pixels, equal digest."""
        return np.fromiter((hashlib.sha1(image.tobytes()).digest() for image in self.images), "S20", len(self))


def fingerprint(*parts: FaceSet) -> str:
    """Return a hash of all faces of some sets and of their classes, whatever their order and their files' names."""
    names = sorted({name for part in parts for name, count in zip(part.classes, part.counts(), strict=True) if count})
    places = [np.array([names.index(name) if name in names else -1 for name in part.classes]) for part in parts]
    labels = np.concatenate([place[part.labels] for place, part in zip(places, parts, strict=True)]).astype("<i8")
    digests = np.concatenate([part.digests() for part in parts])
    order = np.lexsort((labels, digests))
    found = hashlib.sha256("\n".join(names).encode())
    found.update(digests[order].tobytes())
    found.update(labels[order].tobytes())
    return found.hexdigest()


class DataSet(dict[str, FaceSet]):
    """Hold the faces of each split that was read; `unread` names the other splits that have faces."""

    def __init__(self, faces: Mapping[str, FaceSet], unread: Collection[str]) -> None:
        super().__init__(faces)
        self.unread = unread


def load(
    path: Path,
    splits: Iterable[str] = SPLITS,
    strict: bool = False,
    labels: Sequence[str] = (),
    ignore: Sequence[str] = (),
    checked: bool = False,
) -> DataSet:
    """Read the requested splits of a data set in any supported form; splits without faces are left out.

    The classes are those that have faces in one of these splits, in alphabetical order. `labels` names the classes of a
    data set that has numbers; `ignore` leaves classes out. What is damaged or passed over is counted and listed on
    stderr. Raises DataError if there is no data set; if `strict`, also if anything is damaged; if `checked`, also if it
    has no numbers for `labels` or no class to `ignore`, which is no error where they are of a model's recipe.
    """
    store = Store((FACE_SIZE, FACE_SIZE))
    gathered: dict[str, _Gathered] = {}
    skipped = _Skipped()
    unread: set[str] = set()
    has_numbers = False
    with progress() as stage:
        advance = stage("read faces", None)
        for item in forms.read(path, Request(frozenset(splits), tuple(labels), frozenset(ignore))):
            if isinstance(item, Row):
                gathered.setdefault(item.split, _Gathered()).add(item, store)
                advance()
            elif isinstance(item, Note):
                _say(item.text)
                has_numbers |= item.by_labels
            elif isinstance(item, Unread):
                unread.add(item.split)
            elif strict and isinstance(item, Damaged):
                raise DataError(f"damaged: {item.location}: {item.reason}; leave out --strict to skip it")
            else:
                skipped.add(item)
    store.finish()
    skipped.report()
    classes = tuple(sorted({label for own in gathered.values() for label in own.classes}))
    if checked and labels and not has_numbers:
        raise DataError(f"expected numbers for --labels to name in {path}, found none; leave out --labels")
    if checked:
        _check_ignored(path, ignore, skipped.ignored, classes)
    _check_names(classes)
    faces = {split: gathered[split].face_set(split, classes, store) for split in SPLITS if split in gathered}
    return DataSet(faces, unread)


class _Gathered:
    """Gather the faces of a split as they are read; the pictures go to the store."""

    def __init__(self) -> None:
        self.classes: dict[str, int] = {}  # in the order in which they are met
        self._numbers = array("q")
        self._positions = array("q")
        self._names = bytearray()
        self._bounds = array("q", [0])

    def add(self, row: Row, store: Store) -> None:
        self._positions.append(store.append(row.image))
        self._numbers.append(self.classes.setdefault(row.label, len(self.classes)))
        self._names += os.fsencode(row.name)
        self._bounds.append(len(self._names))

    def face_set(self, split: str, classes: tuple[str, ...], store: Store) -> FaceSet:
        order = np.array([classes.index(name) for name in self.classes], dtype=np.int64)
        labels = order[np.frombuffer(self._numbers, dtype=np.int64)]
        images = Pictures(store, np.frombuffer(self._positions, dtype=np.int64))
        names = Names(self._names, np.frombuffer(self._bounds, dtype=np.int64), np.arange(len(labels)))
        return FaceSet(images, labels, names, split, classes)


class _Skipped:
    """Count what is damaged or passed over, and say so with the first of them; a data set may have a million."""

    def __init__(self) -> None:
        self._damaged: list[Damaged] = []
        self._damaged_count = 0
        self._passed_over: Counter[str] = Counter()  # by reason
        self._first: dict[str, str] = {}
        self.ignored: set[str] = set()  # classes

    def add(self, item: Damaged | PassedOver) -> None:
        if isinstance(item, PassedOver):
            reason = item.reason
            if isinstance(item, Ignored):
                self.ignored.add(reason)
                reason += " (--ignore)"
            self._passed_over[reason] += 1
            self._first.setdefault(reason, item.location)
            return
        self._damaged_count += 1
        if len(self._damaged) < LISTED:
            self._damaged.append(item)

    def report(self) -> None:
        if self._damaged:
            listed = "; ".join(f"{item.location}: {item.reason}" for item in self._damaged)
            more = f"; and {self._damaged_count - LISTED} more" if self._damaged_count > LISTED else ""
            _say(f"skipped {self._damaged_count} damaged: {listed}{more}")
        if self._passed_over:
            counts = self._passed_over.most_common()
            grouped = "; ".join(f"{count} {reason}, as {self._first[reason]}" for reason, count in counts)
            _say(f"passed over {self._passed_over.total()}: {grouped}")


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _check_ignored(path: Path, ignore: Sequence[str], ignored: Collection[str], classes: Sequence[str]) -> None:
    if unknown := ", ".join(name for name in ignore if name not in ignored):
        found = ", ".join(sorted({*classes, *ignored})) or "none"
        raise DataError(f"expected --ignore with classes of {path}, found {unknown}; its classes are {found}")


def _check_names(classes: Sequence[str]) -> None:
    for name in classes:
        if len(name) > MAX_LABEL or not name.isprintable():
            raise DataError(f"expected printable names of classes of at most {MAX_LABEL} characters, found {name!r}")


def split_of(faces: Mapping[str, FaceSet], split: str, path: Path) -> FaceSet:
    """Return a split; DataError lists the splits of the data set if it is not among them."""
    if split not in faces:
        there = {*faces, *(faces.unread if isinstance(faces, DataSet) else ())}
        found = ", ".join(name for name in SPLITS if name in there) or "none"
        raise DataError(f"expected faces of the split '{split}' in {path}, found {found}")
    return faces[split]


def train_val_split(faces: dict[str, FaceSet], path: Path, validation: str = HELD_OUT) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and the validation faces, which epochs and hyperparameters are chosen on.

    `held-out`: a tenth of each emotion's Training faces, the same every time. Copies of an image are on the same side.
    `public`: all of Training, and PublicTest. Raises DataError if the data set lacks the splits.
    """
    train = split_of(faces, "train", path)
    groups = image_groups(train)
    check_classes(train, groups, path)
    if validation == "public":
        return train, split_of(faces, "public", path)
    held_out = np.zeros(len(train), dtype=bool)
    for label in range(len(train.classes)):
        candidates = np.unique(groups[train.labels == label])
        count = max(1, round(HELD_OUT_SHARE * len(candidates)))
        held_out |= np.isin(groups, np.random.default_rng(label).permutation(candidates)[:count])
    rest = train.take(np.flatnonzero(~held_out))
    return rest, replace(train.take(np.flatnonzero(held_out)), split=HELD_OUT)


def image_groups(faces: FaceSet) -> npt.NDArray[np.int64]:
    """Return a number for each face, int64 [n]: copies of an image have the same. Reads all pixels."""
    return np.unique(faces.digests(), return_inverse=True)[1]


def check_classes(train: FaceSet, groups: npt.NDArray[np.int64], path: Path) -> None:
    """Raise DataError unless there are two different training faces of each of two classes or more.

    `groups` are the image_groups of the faces.
    """
    different = {name: len(np.unique(groups[train.labels == label])) for label, name in enumerate(train.classes)}
    if len(different) < 2:
        raise DataError(f"expected training faces of two classes or more in {path}, found {', '.join(different)}")
    if few := [name for name, count in different.items() if count < 2]:
        raise DataError(
            f"expected two different training faces or more of each class in {path}, found fewer of {', '.join(few)}; "
            f"add some, or leave it out with --ignore {','.join(few)}"
        )


def stratified_folds(train: FaceSet) -> npt.NDArray[np.int64]:
    """Return the fold of each face, 0 to FOLD_COUNT - 1, int64 [n]: each fold has as many of a class as the others.

    Copies of an image are in the same fold. The folds are the same every time.
    """
    groups = image_groups(train)
    folds = np.full(groups.max() + 1, -1, dtype=np.int64)
    start = 0
    for label in range(len(train.classes)):
        own = np.unique(groups[train.labels == label])
        own = np.random.default_rng(label).permutation(own[folds[own] < 0])
        folds[own] = (start + np.arange(len(own))) % FOLD_COUNT
        start += len(own)
    return folds[groups]


def evaluation_split(faces: dict[str, FaceSet], path: Path) -> tuple[FaceSet, FaceSet]:
    """Return the training faces and those to report on: PublicTest or, without it, the held-out tenth of Training."""
    return train_val_split(faces, path, "public" if "public" in faces else HELD_OUT)


def evaluation_faces(path: Path, labels: Sequence[str] = (), ignore: Sequence[str] = ()) -> FaceSet:
    """Load the faces to report on, without reading Training if there is PublicTest; see evaluation_split."""
    faces = load(path, ("public",), labels=labels, ignore=ignore)
    if faces:
        return faces["public"]
    return train_val_split(load(path, ("train",), labels=labels, ignore=ignore), path)[1]


def seen_in(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Return which faces are pixel for pixel in `other` too, bool [n]; FER-2013 has hundreds across its splits."""
    return np.isin(faces.digests(), other.digests())

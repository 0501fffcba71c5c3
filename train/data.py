"""FER-2013 as people hold it -> faces with labels, split as the data set's authors split it.

    class folders    data/fer2013/{train,test}/{angry,...,surprise}/*.png     (as on Kaggle: msambare)
    original CSV     fer2013.csv with the columns emotion, pixels, Usage

The splits bear FER-2013's own names: `train` to learn from, `public` (PublicTest) to choose on, `private` (PrivateTest)
to report on, once. Kaggle's copies put both tests into one folder `test`; the file names tell them apart.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.preprocess import to_face
from edge.values import Image

FACE_SIZE = 48  # pixels; the resolution of every FER-2013 face
SPLITS = ("train", "public", "private")
CSV_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # fer2013.csv's own order
CSV_NUMBERS = {str(number): EMOTIONS.index(emotion) for number, emotion in enumerate(CSV_LABELS)}
USAGE = {"Training": "train", "PublicTest": "public", "PrivateTest": "private"}
FOLDERS = {"train": "train", "val": "public", "valid": "public", "validation": "public", "test": "private"}
SYNONYMS = {"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad"}
SYNONYMS |= {"surprised": "surprise"}
PICTURES = {".png", ".jpg", ".jpeg", ".bmp"}


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


def load(path: Path, splits: Iterable[str] = SPLITS) -> dict[str, FaceSet]:
    """Read a data set; the form is found out by looking.

    Returns only the splits asked for that have faces. Raises DataError where there is nothing to read, where an
    emotion has no faces in a split, or where a picture or a row is damaged.
    """
    if path.is_dir():
        rows = _read_folders(path)
    elif path.suffix == ".csv" and path.is_file():
        rows = _read_csv(path)
    elif path.exists():
        raise DataError(f"expected a folder of faces or fer2013.csv, found {path}; give the unpacked data set")
    else:
        raise DataError(f"no data at {path}; unpack FER-2013 there (README, 'Train') or name it with --data")
    wanted = set(splits)
    found: dict[str, list[tuple[Image, int, str]]] = {}
    for image, label, name, split in rows:
        if split in wanted:
            found.setdefault(split, []).append((image, label, name))
    if not found:
        raise DataError(f"expected faces of {' or '.join(sorted(wanted))} in {path}, found none")
    return {split: _face_set(items, split, path) for split, items in found.items()}


def split_of(faces: dict[str, FaceSet], split: str, path: Path) -> FaceSet:
    """The split, or a DataError that says what is there instead."""
    if split not in faces:
        hint = "; files in test/ named PublicTest_*, or a folder val/, make it" if split == "public" else ""
        raise DataError(f"expected faces of the split '{split}' in {path}, found only {', '.join(faces)}{hint}")
    return faces[split]


def seen_in(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Which faces are pixel for pixel in `other` too; bool [n]. FER-2013 has hundreds of these across its splits."""
    known = set(other.digests())
    return np.array([digest in known for digest in faces.digests()], dtype=bool)


def _face_set(items: list[tuple[Image, int, str]], split: str, path: Path) -> FaceSet:
    images, labels, names = zip(*items, strict=True)
    missing = [emotion for i, emotion in enumerate(EMOTIONS) if i not in set(labels)]
    if missing:
        raise DataError(f"expected all seven emotions in the split '{split}' of {path}, found no {', '.join(missing)}")
    return FaceSet(np.stack(images), np.array(labels, dtype=np.int64), names, split)


def _read_folders(root: Path) -> Iterable[tuple[Image, int, str, str]]:
    """Yield (image, label, name, split) from root/{train,test,...}/{emotion}/, in sorted order on every machine."""
    folders = [(folder, FOLDERS[folder.name.lower()]) for folder in sorted(root.iterdir()) if _is_split(folder)]
    if not folders:
        raise DataError(f"expected folders train/ and test/ in {root}, found {_listing(root)}")
    for folder, folder_split in folders:
        for class_folder in sorted(item for item in folder.iterdir() if item.is_dir()):
            label = _label(class_folder)
            for file in sorted(class_folder.iterdir()):
                if file.suffix.lower() in PICTURES:
                    yield _read_picture(file), label, file.name, USAGE.get(file.name.split("_")[0], folder_split)


def _is_split(folder: Path) -> bool:
    return folder.is_dir() and folder.name.lower() in FOLDERS


def _listing(folder: Path) -> str:
    return ", ".join(sorted(item.name for item in folder.iterdir())[:5]) or "nothing"


def _label(class_folder: Path) -> int:
    name = class_folder.name.lower()
    name = SYNONYMS.get(name, name)
    if name not in EMOTIONS:
        raise DataError(f"expected class folders {', '.join(EMOTIONS)}, found {class_folder}")
    return EMOTIONS.index(name)


def _read_picture(file: Path) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"expected a picture, found {file}, which cannot be decoded; remove it or fetch it again")
    return to_face(image, FACE_SIZE)


def _read_csv(path: Path) -> Iterable[tuple[Image, int, str, str]]:
    """Yield (image, label, name, split) from fer2013.csv; its labels are numbered in CSV_LABELS' order."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        if not {"emotion", "pixels", "Usage"} <= set(reader.fieldnames or ()):
            raise DataError(f"expected the columns emotion, pixels, Usage in {path}, found {reader.fieldnames}")
        for number, row in enumerate(_whole_rows(reader, path), start=2):
            try:
                image = np.array(row["pixels"].split(), dtype=np.uint8).reshape(FACE_SIZE, FACE_SIZE)
                label = CSV_NUMBERS[row["emotion"].strip()]
                split = USAGE[row["Usage"]]
            except (ValueError, KeyError, AttributeError, OverflowError) as error:
                raise DataError(f"damaged row in {path}, line {number}: {error}; fetch the file again") from error
            yield image, label, f"{row['Usage']}_{number - 2}", split


def _whole_rows(reader: csv.DictReader[str], path: Path) -> Iterable[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise DataError(f"damaged file {path}, line {reader.line_num}: {error}; fetch it again") from error

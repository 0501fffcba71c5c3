"""Read FER-2013 in every form it is distributed in, one face at a time.

    {train,test}/{angry,...}/*       class folders, as on Kaggle (msambare, ananthu017)
    {train,test}/{0,...,6}/*         numbered class folders, in alphabetical order of the emotions
    {angry,...}/*                    a folder of your own: images of any size and colour
    fer2013.csv                      columns emotion, pixels, Usage; emotions in the CSV's own order
    icml_face_data.csv               the same, with spaces in its header

The form is detected. Kaggle's copies put PublicTest and PrivateTest into one folder `test`: the original file names
distinguish them. Faces with other names are in the split `test`, which is neither.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.preprocess import to_face
from edge.values import Image

FACE_SIZE = 48  # pixels; the resolution of every FER-2013 face
CSV_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # fer2013.csv's own order
CSV_NUMBERS = {str(number): EMOTIONS.index(emotion) for number, emotion in enumerate(CSV_LABELS)}
USAGE = {"Training": "train", "PublicTest": "public", "PrivateTest": "private"}
FOLDERS = {"train": "train", "training": "train", "test": "test", "publictest": "public", "privatetest": "private"}
FOLDERS |= dict.fromkeys(("val", "valid", "validation"), "public")
SYNONYMS = {"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad"}
SYNONYMS |= {"surprised": "surprise", "afraid": "fear", "calm": "neutral"}
FOLDER_NAMES = SYNONYMS | {str(number): emotion for number, emotion in enumerate(EMOTIONS)}
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".pgm"}


@dataclass(frozen=True)
class Row:
    """Hold a face: grey uint8 [48, 48], its label as an index into EMOTIONS, its name in the data set, its split."""

    image: Image
    label: int
    name: str
    split: str


@dataclass(frozen=True)
class Damaged:
    """Name a file or CSV row that is not a face, and the reason."""

    location: str
    reason: str


Item: TypeAlias = Row | Damaged


def read(path: Path, splits: Collection[str]) -> Iterator[Item]:
    """Yield the faces of these splits, in the same order on every machine. Raises DataError if there is no data set."""
    if path.is_dir():
        return _read_folders(path, splits)
    if path.suffix.lower() == ".csv" and path.is_file():
        return _read_csv(path, splits)
    if path.exists():
        raise DataError(f"expected a folder of faces or fer2013.csv, found {path}; give the unpacked data set")
    raise DataError(f"no data at {path}; unpack FER-2013 there (README, 'Train') or name it with --data")


def _read_folders(root: Path, splits: Collection[str]) -> Iterator[Item]:
    subfolders = _subfolders(root)
    parts = [(folder, FOLDERS[folder.name.lower()]) for folder in subfolders if folder.name.lower() in FOLDERS]
    if not parts and any(_label(folder) is not None for folder in subfolders):
        parts = [(root, "train")]  # a folder of your own
    if not parts:
        listed = ", ".join(sorted(item.name for item in root.iterdir())[:5]) or "nothing"
        raise DataError(f"expected folders train/ and test/, or {', '.join(EMOTIONS)}, in {root}, found {listed}")
    for folder, folder_split in parts:
        for class_folder in _subfolders(folder):
            label = _label(class_folder)
            if label is None:
                raise DataError(f"expected class folders {', '.join(EMOTIONS)}, found {class_folder}; remove it")
            for file in sorted(class_folder.iterdir()):
                split = USAGE.get(file.name.split("_")[0], folder_split)
                if file.suffix.lower() in IMAGE_SUFFIXES and split in splits:
                    yield _read_image(file, label, split)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith((".", "__")))


def _label(class_folder: Path) -> int | None:
    name = class_folder.name.lower()
    name = FOLDER_NAMES.get(name, name)
    return EMOTIONS.index(name) if name in EMOTIONS else None


def _read_image(file: Path, label: int, split: str) -> Item:
    """Read an image of any size and colour; one that is not square is cropped to its middle."""
    try:
        image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    except (OSError, cv2.error):
        image = None
    if image is None:
        return Damaged(str(file), "cannot be decoded")
    height, width = image.shape
    side = min(height, width)
    top = (height - side) // 2
    left = (width - side) // 2
    return Row(to_face(image[top : top + side, left : left + side], FACE_SIZE), label, file.name, split)


def _read_csv(path: Path, splits: Collection[str]) -> Iterator[Item]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a damaged row may swallow the rest of the file
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if not {"emotion", "pixels", "Usage"} <= set(reader.fieldnames):
            raise DataError(f"expected the columns emotion, pixels, Usage in {path}, found {reader.fieldnames}")
        number = 0
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield Damaged(f"{path}, line {reader.line_num}", str(error))
                continue
            if fields is None:
                return
            item = _parse_row(fields, f"{path}, line {reader.line_num}", number)
            number += 1
            if isinstance(item, Damaged) or item.split in splits:
                yield item


def _parse_row(fields: dict[str, str | None], location: str, number: int) -> Item:
    usage = (fields["Usage"] or "").strip()
    label = CSV_NUMBERS.get((fields["emotion"] or "").strip())
    if usage not in USAGE or label is None:
        reason = f"expected an emotion of 0 to 6 and a Usage, found {fields['emotion']!r} and {usage!r}"
        return Damaged(location, reason)
    try:
        pixels = np.array((fields["pixels"] or "").split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        return Damaged(location, str(error))
    if pixels.size != FACE_SIZE**2 or pixels.min() < 0 or pixels.max() > 255:
        return Damaged(location, f"expected {FACE_SIZE**2} pixels of 0 to 255, found {pixels.size}")
    image = pixels.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)
    return Row(image, label, f"{usage}_{number}", USAGE[usage])

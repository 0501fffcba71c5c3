"""Read folders of pictures: find each picture's class and split from the folders that it lies in, or from its name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

from edge.errors import DataError, SourceError
from edge.label_names import known_label, label, misspelled, plain_name
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.picture import decode_picture, read_bytes
from edge.picture_header import HEAD, picture_format
from edge.preprocess import to_face
from edge.sources.pictures import PICTURE_SUFFIXES
from train.layouts.base import FACE_SIZE, USAGE, Damaged, Item, Note, PassedOver, Request, Row
from train.layouts.file_names import coded_label, frame_labels
from train.layouts.names import split_name
from train.layouts.numbers import name_numbers

SUFFIXES = PICTURE_SUFFIXES | {".gif"}
HIGHEST_NUMBER = 99  # of a numbered class folder; a higher one is a year or an id

T = TypeVar("T")
Folder: TypeAlias = tuple[str, ...]  # the names of a folder and of those it lies in, below the data set's own


class Picture:
    """Hold a picture's file, its folders below the data set's own, its split, and its class, if it has one."""

    def __init__(self, root: Path, file: Path) -> None:
        self.file = file
        self.folders: Folder = file.relative_to(root).parts[:-1]
        named = (split for name in self.folders if (split := split_name(name)))
        self.folder_split = next(named, None)
        self.split = USAGE.get(file.name.split("_")[0]) or self.folder_split or "train"
        self.label: str | None = None
        self.number: int | None = None


def files_below(root: Path) -> list[Path]:
    """Return the files of a folder and its subfolders in the order of their paths; hidden ones are left out."""
    found = []
    entered = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_fail):
        resolved = os.path.realpath(folder)
        if resolved in entered:  # a link to a folder that it lies in
            subfolders.clear()
            continue
        entered.add(resolved)
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "__"))]
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return sorted(found)


def _fail(error: OSError) -> None:
    raise error  # os.walk leaves out a folder that it may not read


def is_picture(file: Path) -> bool:
    """Return whether a file is a picture, sound or damaged: by its suffix, or else by its content."""
    if file.suffix.lower() in SUFFIXES:
        return True
    try:
        with file.open("rb") as opened:
            return picture_format(opened.read(HEAD)) is not None
    except OSError:
        return False


def labelled_pictures(root: Path, files: list[Path], request: Request) -> list[Picture]:
    """Return the pictures that have a class; none if this is no data set of pictures. Raises DataError."""
    pictures = [Picture(root, file) for file in files if is_picture(file)]
    folders = {picture.folders for picture in pictures}
    emotions = _emotions(folders)
    frames = frame_labels(files)
    for picture in pictures:
        own = coded_label(picture.file.name) or frames.get(picture.file.stem.lower())
        picture.label = _deepest(picture.folders, emotions) or own
    if not any(picture.label for picture in pictures):
        numbers = _numbers(folders)
        classes = _named(root, pictures, numbers, request) if numbers else _own(folders)
        for picture in pictures:
            picture.label = _deepest(picture.folders, classes)
    return pictures if any(picture.label for picture in pictures) else []


def read_pictures(root: Path, files: list[Path], pictures: list[Picture], request: Request) -> Iterator[Item]:
    """Yield the faces of these pictures, and what is passed over."""
    for text in _own_classes(root, pictures, request):
        yield Note(text)
    known = {picture.file for picture in pictures}
    for file in files:
        if file not in known:
            yield PassedOver(str(file), "no picture")
    has_splits = any(picture.folder_split and picture.label for picture in pictures)
    for picture in pictures:
        location = str(picture.file)
        if picture.label is None:
            yield PassedOver(location, "of no known class")
        elif has_splits and not picture.folder_split:
            yield PassedOver(location, "outside of the folders of the splits")
        elif picture.label in request.ignore:
            yield PassedOver(location, f"{picture.label} (--ignore)")
        elif picture.split in request.splits:
            yield read_face(picture.file, picture.label, picture.split)


def read_face(file: Path, label: str, split: str) -> Row | Damaged:
    """Read a picture of any size and colour; one that is not square is cropped to its middle."""
    try:
        image = decode_picture(read_bytes(file), file.name, grey=True)
        height, width = image.shape
        side = min(height, width)
        top = (height - side) // 2
        left = (width - side) // 2
        face = to_face(image[top : top + side, left : left + side], FACE_SIZE)
    except (SourceError, cv2.error) as error:
        return Damaged(str(file), str(error).splitlines()[0].split(";")[0])
    return Row(face, label, file.name, split)


def _emotions(folders: Collection[Folder]) -> dict[Folder, str]:
    """Return the folders whose names mean an emotion, with their neighbours, which are classes of their own."""
    every = _with_parents(folders)
    known = {folder: name for folder in every if (name := known_label(folder[-1]))}
    parents = {folder[:-1] for folder in known}
    return {folder: label(folder[-1]) for folder in every if folder[:-1] in parents and not split_name(folder[-1])}


def _numbers(folders: Collection[Folder]) -> dict[Folder, int]:
    every = _with_parents(folders)
    numbers = {folder: int(folder[-1]) for folder in every if folder[-1].isascii() and folder[-1].isdigit()}
    if len(set(numbers.values())) < 2 or max(numbers.values()) > HIGHEST_NUMBER:
        return {}
    for folder in numbers:
        if any(folder[:depth] in numbers for depth in range(1, len(folder))):
            raise DataError(f"expected numbered folders of one kind, found some inside others: {'/'.join(folder)}")
    return numbers


def _named(root: Path, pictures: list[Picture], numbers: Mapping[Folder, int], request: Request) -> dict[Folder, str]:
    """Name the numbers, by --labels or by FER-2013's counts."""
    counts: dict[str, Counter[int]] = {}
    for picture in pictures:
        picture.number = _deepest(picture.folders, numbers)
        if picture.number is not None:
            counts.setdefault(picture.split, Counter())[picture.number] += 1
    names = name_numbers(counts, request.labels, f"the folders in {root}")
    return {folder: names[number] for folder, number in numbers.items() if number in names}


def _own(folders: Collection[Folder]) -> dict[Folder, str]:
    """Return the class folders of a data set of other labels: those right inside the splits, or inside the data set."""
    every = _with_parents(folders)
    splits = {folder for folder in every if split_name(folder[-1])}
    classes: dict[Folder, str] = {}
    for base in splits or {()}:
        while len(children := {folder for folder in every if folder[:-1] == base}) == 1 and base not in folders:
            (base,) = children
        classes |= {folder: plain_name(folder[-1]) for folder in children}
    return classes if len(set(classes.values())) > 1 else {}


def _with_parents(folders: Collection[Folder]) -> set[Folder]:
    return {folder[: depth + 1] for folder in folders for depth in range(len(folder))}


def _deepest(folders: Folder, values: Mapping[Folder, T]) -> T | None:
    """Return the value of the innermost folder that has one."""
    found = (values[folders[:depth]] for depth in range(len(folders), 0, -1) if folders[:depth] in values)
    return next(found, None)


def _own_classes(root: Path, pictures: list[Picture], request: Request) -> Iterator[str]:
    """Yield what a reader of the data set should know: numbers, misspelled names, and classes that are no emotion."""
    numbers = {picture.number: picture.label for picture in pictures if picture.number is not None}
    if numbers:
        listed = ", ".join(f"{number} {name}" for number, name in sorted(numbers.items()))
        yield f"numbers of {root}: {listed} ({'--labels' if request.labels else 'by the counts of FER-2013'})"
    names = {name for picture in pictures for name in picture.folders}
    for name in sorted(names):
        if guessed := misspelled(plain_name(name)):
            yield f"the folder {name} is read as {guessed}"
    meanings: dict[str, set[str]] = {}
    for name in map(plain_name, names):
        meanings.setdefault(known_label(name) or "", set()).add(name)
    for meaning, several in sorted(meanings.items()):
        if meaning and len(several) > 1:
            yield f"the folders {', '.join(sorted(several))} are all read as {meaning}"
    found = {picture.label for picture in pictures if picture.label} - {*EMOTIONS, *request.ignore}
    if found and any(picture.label in EMOTIONS for picture in pictures):
        yield f"classes beside the seven emotions: {', '.join(sorted(found))} (--ignore leaves them out)"

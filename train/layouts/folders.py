"""Read folders of pictures: find each picture's class and split from the folders that it lies in, or from its name."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
from train.layouts.base import FACE_SIZE, USAGE, Damaged, Ignored, Item, Note, PassedOver, Request, Row, Unread
from train.layouts.file_names import coded_label, frame_labels
from train.layouts.names import split_name
from train.layouts.numbers import BY_COUNTS, name_numbers, numbers_note

SUFFIXES = PICTURE_SUFFIXES | {".gif"}
HIGHEST_NUMBER = 99  # of a numbered class folder; a higher one is a year or an id

T = TypeVar("T")
Folder: TypeAlias = tuple[str, ...]  # the names of a folder and of those it lies in, below the data set's own


class Picture:
    """Tell what the path of a picture says: its folders below the data set's own, its name, and its split."""

    def __init__(self, path: str) -> None:
        folder, _, self.name = path.rpartition("/")
        self.folders, self.folder_split = _folders(folder)
        self.split = USAGE.get(self.name.split("_")[0]) or self.folder_split or "train"


@functools.lru_cache
def _folders(path: str) -> tuple[Folder, str | None]:
    """Return the names of the folders in a path, and the split that the first of them names."""
    folders = tuple(path.split("/")) if path else ()
    return folders, next((split for name in folders if (split := split_name(name))), None)


@dataclass(frozen=True)
class LabelledFolder:
    """List the files of a data set of pictures, as paths below its root, and what tells their classes.

    That is the name or number of a folder, the picture's own name or, of CK+, a file beside it. Paths are strings and
    classes are looked up, since a data set may have a million pictures.
    """

    root: Path
    pictures: list[str]
    others: list[str]
    labels: Mapping[Folder, str]
    frames: Mapping[str, str]
    numbers: Mapping[Folder, int] = field(default_factory=dict)

    def label(self, picture: Picture) -> str | None:
        """Return the class of a picture, None if nothing tells it."""
        own = _deepest(picture.folders, self.labels) or coded_label(picture.name)
        return own or (self.frames.get(Path(picture.name).stem.lower()) if self.frames else None)

    def any_label(self) -> bool:
        return any(self.label(Picture(path)) for path in self.pictures)


def files_below(root: Path) -> list[str]:
    """Return the files of a folder and its subfolders in the order of their paths, which begin below the folder.

    Hidden files and folders are left out. Parts are separated by / everywhere.
    """
    return list(_walk(root, "", set()))


def _walk(root: Path, below: str, entered: set[str]) -> Iterator[str]:
    folder = root / below
    resolved = os.path.realpath(folder)
    if resolved in entered:  # a link to a folder that it lies in
        return
    entered.add(resolved)
    names = []
    subfolders = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if _is_folder(entry):
                subfolders.add(entry.name)
    for name in sorted(names):
        if name in subfolders:
            if not name.startswith((".", "__")):
                yield from _walk(root, f"{below}{name}/", entered)
        elif not name.startswith("."):
            yield below + name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_picture(file: Path) -> bool:
    """Return whether a file is a picture, sound or damaged: by its suffix, or else by its content."""
    if file.suffix.lower() in SUFFIXES:
        return True
    try:
        with file.open("rb") as opened:
            return picture_format(opened.read(HEAD)) is not None
    except OSError:
        return False


def labelled_folder(root: Path, files: Iterable[str], request: Request) -> LabelledFolder | None:
    """Return the pictures among these files with their classes; None if no picture has one. Raises DataError."""
    pictures: list[str] = []
    others: list[str] = []
    for path in files:
        (pictures if is_picture(root / path) else others).append(path)
    folders = {_folders(name)[0] for name in {path.rpartition("/")[0] for path in pictures}}
    frames = frame_labels(root, others)
    labelled = LabelledFolder(root, pictures, others, _emotions(folders), frames)
    if not labelled.any_label():
        numbers = _numbers(folders)
        labels = _named(root, pictures, numbers, request) if numbers else _own(folders)
        labelled = LabelledFolder(root, pictures, others, labels, frames, numbers)
    return labelled if labelled.any_label() else None


def read_pictures(found: LabelledFolder, request: Request) -> Iterator[Item]:
    """Yield the faces of these pictures, and what is passed over."""
    yield from _notes(found, request)
    for path in found.others:
        yield PassedOver(str(found.root / path), "no picture")
    pictures = map(Picture, found.pictures)
    has_splits = any(picture.folder_split and found.label(picture) for picture in pictures)
    for path in found.pictures:
        picture = Picture(path)
        label = found.label(picture)
        file = found.root / path
        if label is None:
            yield PassedOver(str(file), "of no known class")
        elif has_splits and not picture.folder_split:
            yield PassedOver(str(file), "outside of the folders of the splits")
        elif label in request.ignore:
            yield Ignored(str(file), label)
        elif picture.split in request.splits:
            yield read_face(file, label, picture.split)
        else:
            yield Unread(picture.split)


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


def _named(root: Path, pictures: list[str], numbers: Mapping[Folder, int], request: Request) -> dict[Folder, str]:
    """Name the numbers, by --labels or by FER-2013's counts."""
    counts: dict[str, Counter[int]] = {}
    for picture in map(Picture, pictures):
        number = _deepest(picture.folders, numbers)
        if number is not None:
            counts.setdefault(picture.split, Counter())[number] += 1
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


def _notes(found: LabelledFolder, request: Request) -> Iterator[Note]:
    """Yield what a reader of the data set should know: numbers, misspelled names, and classes that are no emotion."""
    labels = {(picture.folders, found.label(picture)) for picture in map(Picture, found.pictures)}
    numbers = {
        number: label for folders, label in labels if label and (number := _deepest(folders, found.numbers)) is not None
    }
    if numbers:
        yield numbers_note(str(found.root), numbers, request.labels, BY_COUNTS)
    names = {name for folders, _ in labels for name in folders}
    for name in sorted(names):
        if guessed := misspelled(plain_name(name)):
            yield Note(f"the folder {name} is read as {guessed}")
    meanings: dict[str, set[str]] = {}
    for name in map(plain_name, names):
        meanings.setdefault(known_label(name) or "", set()).add(name)
    for meaning, several in sorted(meanings.items()):
        if meaning and len(several) > 1:
            yield Note(f"the folders {', '.join(sorted(several))} are all read as {meaning}")
    classes = {label for _, label in labels if label}
    if (others := classes - {*EMOTIONS, *request.ignore}) and classes & set(EMOTIONS):
        yield Note(f"classes beside the seven emotions: {', '.join(sorted(others))} (--ignore leaves them out)")

"""Read tables of faces: fer2013.csv, and others with a class and 48x48 pixels in each row.

fer2013.csv has the columns emotion, pixels, Usage; icml_face_data.csv the same with spaces in its header. Separators,
encodings and common names of columns are recognized. Without Usage, the name of the file tells the split.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from edge.errors import DataError
from edge.label_names import known_label, label
from train.layouts.base import FACE_SIZE, USAGE, Damaged, Ignored, Item, Request, Row, Unread
from train.layouts.names import split_name
from train.layouts.numbers import BY_COUNTS, CSV_LABELS, name_numbers, numbers_note

LABEL_COLUMNS = ("emotion", "emotions", "label", "labels", "class", "expression", "target")
PIXEL_COLUMNS = ("pixels", "pixel", "image", "images", "data")
USAGE_COLUMNS = ("usage", "split", "set", "subset", "partition")
KNOWN_TABLES = ("fer2013.csv", "icml_face_data.csv")  # of FER-2013's challenge; of several, the first holds all faces
FER2013_NAME = re.compile(r"fer[-_ ]?2013|icml_face", re.IGNORECASE)  # begins the names of its tables, copies as well
SEPARATORS = ",;\t|"
HEAD = 1 << 16  # characters of the first line that are looked at
SHOWN = 6  # names of columns in a message


@dataclass(frozen=True)
class Columns:
    """Say where a table has its values: positions of the columns, the separator, and whether a header names them."""

    separator: str
    label: int
    pixels: int
    usage: int | None
    names: tuple[str, ...] = ()

    @property
    def is_fer2013(self) -> bool:
        """Return whether the table is in the format of fer2013.csv, whose numbers have one meaning."""
        return set(self.names) >= {"emotion", "pixels", "usage"}


def is_table(file: Path) -> bool:
    """Return whether a file is a table of faces."""
    return _columns(file) is not None


def read_table(file: Path, request: Request) -> Iterator[Item]:
    """Yield the faces of a table. Raises DataError if it is none."""
    columns = _columns(file)
    if columns is None:
        raise DataError(f"expected a table with the columns emotion and pixels in {file}, found {_found(file)}")
    names = _names(file, columns, request)
    if names:
        source = "the order of fer2013.csv" if columns.is_fer2013 else BY_COUNTS
        yield numbers_note(str(file), names, request.labels, source)
    for number, (line, fields) in enumerate(_rows(file, columns)):
        location = f"{file}, line {line}"
        item = Damaged(location, fields) if isinstance(fields, str) else _parse(fields, columns, names, file, number)
        if isinstance(item, Damaged):
            yield Damaged(location, item.reason)
        elif item.label in request.ignore:
            yield Ignored(location, item.label)
        else:
            yield item if item.split in request.splits else Unread(item.split)


def _names(file: Path, columns: Columns, request: Request) -> dict[int, str]:
    """Return number -> class; nothing for a table that has names."""
    if columns.is_fer2013 and not request.labels:
        return dict(enumerate(CSV_LABELS))
    counts: dict[str, Counter[int]] = {}
    for _, fields in _rows(file, columns):
        if not isinstance(fields, str) and (text := fields[columns.label].strip()).isdecimal() and len(text) < 3:
            counts.setdefault(_split(fields, columns, file) or "", Counter())[int(text)] += 1
    return name_numbers(counts, request.labels, str(file)) if counts else {}


def _parse(fields: list[str], columns: Columns, names: dict[int, str], file: Path, number: int) -> Row | Damaged:
    text = fields[columns.label].strip()
    name = names.get(int(text)) if text.isdecimal() and len(text) < 3 else _text_label(text)
    split = _split(fields, columns, file)
    if name is None or split is None:
        usage = "" if columns.usage is None else fields[columns.usage].strip()
        expected = f"a number from {min(names)} to {max(names)}" if names else "the name of a class"
        return Damaged("", f"expected {expected} and a known Usage, found {text[:20]!r} and {usage[:20]!r}")
    try:
        pixels = np.array(fields[columns.pixels].split(), dtype=np.int64)
    except (ValueError, OverflowError):
        return Damaged("", f"expected {FACE_SIZE**2} pixels, found other text")
    if pixels.size != FACE_SIZE**2 or pixels.min() < 0 or pixels.max() > 255:
        return Damaged("", f"expected {FACE_SIZE**2} pixels of 0 to 255, found {pixels.size}")
    image = pixels.astype(np.uint8).reshape(FACE_SIZE, FACE_SIZE)
    return Row(image, name, f"{_prefix(file, split)}_{number}", split)


def _prefix(file: Path, split: str) -> str:
    """Return what the names of a table's faces begin with: of FER-2013 its split, by which FER+ knows them as well."""
    if not FER2013_NAME.match(file.name):
        return file.stem
    return next((usage for usage, own in USAGE.items() if own == split), split)


def _text_label(text: str) -> str | None:
    """Return the class that a text names, None for no text and for numbers without a name, as -1."""
    return label(text) if text and not text.lstrip("+-").replace(".", "").isdigit() else None


def _split(fields: list[str], columns: Columns, file: Path) -> str | None:
    if columns.usage is None:
        return split_name(file.stem) or "train"
    usage = fields[columns.usage].strip()
    return USAGE.get(usage) or split_name(usage)


def _rows(file: Path, columns: Columns) -> Iterator[tuple[int, list[str] | str]]:
    """Yield the line and the fields of each row; the reason in place of the fields of one that is damaged."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a damaged row may swallow the rest of the file
    last = max(columns.label, columns.pixels, columns.usage or 0)
    with _open(file) as opened:
        reader = csv.reader(opened, delimiter=columns.separator, skipinitialspace=True)
        while True:
            try:
                fields = next(reader, None)
            except csv.Error as error:
                yield reader.line_num, str(error)
                continue
            if fields is None:
                return
            if (reader.line_num == 1 and columns.names) or not fields:
                continue
            yield reader.line_num, fields if len(fields) > last else f"cut off after {len(fields)} columns"


def _open(file: Path) -> IO[str]:
    with file.open("rb") as opened:
        head = opened.read(4)
    encoding = "utf-8-sig"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in head:  # UTF-16 without its mark: the text begins with ASCII
        encoding = "utf-16-be" if head[0] == 0 else "utf-16-le"
    return file.open(newline="", encoding=encoding, errors="replace")


def _columns(file: Path) -> Columns | None:
    """Find the columns by the names in the first line or, without a header, by what the fields hold."""
    with _open(file) as opened:
        line = opened.readline(HEAD)
    for separator in SEPARATORS:
        fields = [field.strip().strip('"').strip() for field in line.split(separator)]
        if columns := _by_header(fields, separator) or _by_content(fields, separator):
            return columns
    return None


def _by_header(fields: list[str], separator: str) -> Columns | None:
    names = tuple(field.lower() for field in fields)
    positions = [next((names.index(name) for name in known if name in names), None) for known in _KINDS]
    label_column, pixels, usage = positions
    if label_column is None or pixels is None:
        return None
    return Columns(separator, label_column, pixels, usage, names)


_KINDS = (LABEL_COLUMNS, PIXEL_COLUMNS, USAGE_COLUMNS)


def _by_content(fields: list[str], separator: str) -> Columns | None:
    """Recognize a row of a table without a header: one field has the pixels, one a number or a name."""
    pixels = [i for i, field in enumerate(fields) if len(field.split()) == FACE_SIZE**2]
    usages = [i for i, field in enumerate(fields) if field in USAGE]
    others = [i for i, field in enumerate(fields) if i not in (*pixels, *usages)]
    labels = [i for i in others if fields[i].isdecimal() or known_label(fields[i])]
    if len(pixels) != 1 or len(labels) != 1:
        return None
    return Columns(separator, labels[0], pixels[0], usages[0] if usages else None)


def _found(file: Path) -> str:
    """Describe the first line, without pixels."""
    with _open(file) as opened:
        line = opened.readline(HEAD)
    if not line.strip():
        return "an empty first line"
    separator = max(SEPARATORS, key=line.count)
    fields = [field.strip() for field in line.split(separator)]
    if sum(character.isdigit() for character in line) > len(line) / 3:
        return f"no header, but {len(fields)} columns of numbers"
    shown = ", ".join(field[:20] for field in fields[:SHOWN])
    return f"{shown}{f' and {len(fields) - SHOWN} more' if len(fields) > SHOWN else ''}"

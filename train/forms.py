"""Open a data set in any form that it is distributed in, and read one face after the other.

{train,test}/{angry,...}/*       class folders, as on Kaggle; a folder for each person between or below is fine
{train,test}/{0,...,6}/*         numbered class folders, whose names --labels tells
{angry,...}/*                    a folder of your own: any labels, images of any size and colour
AF01ANS.JPG, KA.AN1.39.tiff      KDEF, JAFFE and CK+, by the names of their files
fer2013.csv, icml_face_data.csv  tables with pixels (train.layouts.table)
.zip, .tar.gz and others         any of these in an archive, or in several inside each other

The form is detected. Kaggle's copies of FER-2013 put PublicTest and PrivateTest into one folder `test`: the original
file names distinguish them. Faces with other names are in the split `test`, which is neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.layouts.archive import is_archive, unpacked
from train.layouts.base import Item, PassedOver, Request
from train.layouts.folders import files_below, labelled_folder, read_pictures
from train.layouts.names import split_name
from train.layouts.table import KNOWN_TABLES, is_table, read_table

TABLE_SUFFIXES = {".csv", ".tsv", ".txt"}


def read(path: Path, request: Request) -> Iterator[Item]:
    """Yield the faces of a data set, in the same order on every machine. Raises DataError if there is none."""
    if path.is_dir():
        return _read_folder(path, request)
    if is_archive(path):
        return _read_folder(unpacked(path.resolve()), request)
    if path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        return read_table(path, request)
    if path.exists():
        raise DataError(f"expected a folder of faces, an archive of one, or fer2013.csv, found {path}; give another")
    raise DataError(f"no data at {path}; unpack FER-2013 there (README, 'Train') or name it with --data")


def _read_folder(root: Path, request: Request) -> Iterator[Item]:
    paths = files_below(root)
    if found := labelled_folder(root, paths, request):
        return read_pictures(found, request)
    files = [root / path for path in paths]
    if tables := [file for file in files if file.suffix.lower() in TABLE_SUFFIXES and is_table(file)]:
        return _read_tables(tables, files, request)
    if archives := [file for file in files if is_archive(file)]:
        return _read_folder(unpacked(*(archive.resolve() for archive in archives)), request)
    listed = ", ".join(sorted(item.name for item in root.iterdir())[:5]) or "nothing"
    raise DataError(
        f"expected folders by emotion ({', '.join(EMOTIONS)}) or by labels of your own, in {root} or in its train/ and "
        f"test/, or fer2013.csv, found {listed}"
    )


def _read_tables(tables: list[Path], files: list[Path], request: Request) -> Iterator[Item]:
    """Read the table that holds all faces or, if each is of another split, all of them."""
    for name in KNOWN_TABLES:
        if known := [table for table in tables if table.name.lower() == name]:
            tables = known[:1]
            break
    if len({split_name(table.stem) for table in tables}) < len(tables):
        raise DataError(f"expected one table of faces, found {', '.join(map(str, tables[:5]))}; name one with --data")
    for file in files:
        if file not in tables:
            yield PassedOver(str(file), "another file beside the table")
    for table in tables:
        yield from read_table(table, request)

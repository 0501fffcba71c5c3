"""Read pictures of object stores and archives, by fsspec: s3://bucket/photos, zip://**/*.jpg::photos.zip."""

from __future__ import annotations

import functools
import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import MissingExtra, SourceError
from edge.picture import MAX_BYTES, check_bytes
from edge.redaction import redacted
from edge.sources.pictures import PICTURE_SUFFIXES, Pictures
from edge.untrusted import printable

# Schemes of fsspec and of the packages that add to it; http and rtsp are streams and videos.
SCHEMES = {"abfs", "abfss", "adl", "az", "file", "gcs", "gs", "hdfs", "hf", "memory", "oss", "s3", "s3a", "sftp", "smb"}
SCHEMES |= {"github", "simplecache", "ssh", "tar", "webhdfs", "zip"}


@dataclass(frozen=True)
class Fetch:
    """Return the contents of a picture behind an address; any process can hold one and call it."""

    address: str

    def __call__(self, picture: str) -> bytes:
        """Read a picture by its path in the store. Raises SourceError if it cannot be read or is too large."""
        try:
            data: bytes = _open(self.address)[0].cat_file(picture, start=0, end=MAX_BYTES + 1)
        except Exception as error:  # each store raises its own kinds
            raise SourceError(f"cannot read {picture}: {_reason(error)}; check the address and your access") from error
        check_bytes(len(data), picture)
        return data


class Archive(Pictures):
    """List the pictures behind an address, in the order of their paths; a folder gives those at any depth.

    Names decide what is a picture: looking into each file would take one request each. Raises SourceError if there are
    none or the address cannot be listed, MissingExtra without fsspec.
    """

    def __init__(self, text: str) -> None:
        super(Pictures, self).__init__(text)
        self._address = _absolute(text)
        self.load = Fetch(self._address)
        paths = _list(self._address)
        self._pictures = [path for path in paths if posixpath.splitext(path)[1].lower() in PICTURE_SUFFIXES]
        if not self._pictures:
            raise SourceError(f"expected names of pictures, as a.jpg, behind {text}, found {len(paths)} other files")
        left_out = len(paths) - len(self._pictures)
        self.notice = printable(f"left out of {self.name}: {left_out} without a picture's name") if left_out else None
        self._root = posixpath.commonpath([posixpath.dirname(path) for path in self._pictures])
        if text.lower().startswith("file:"):  # a folder of this machine, whose pictures no output may overwrite
            self.files = [Path(path) for path in self._pictures]
            self.folder = Path(self._root)

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text is an address for fsspec."""
        scheme, mark, _ = text.partition("://")
        return bool(mark) and scheme.lower() in SCHEMES

    @property
    def pictures(self) -> Sequence[str]:
        """Return the paths of the pictures in their store."""
        return self._pictures

    @property
    def place(self) -> str:
        """Return the address and the common folder in it; of a folder of this machine, its path."""
        return super().place if self.folder else f"{redacted(self._address)}, {self._root or '/'}"

    def name_of(self, picture: Any) -> str:
        """Return the picture's path below the common folder."""
        return posixpath.relpath(picture, self._root) if self._root else str(picture)


def _absolute(address: str) -> str:
    """Return an address whose file of this machine, the last part of a chain, is found from any working folder."""
    inside, mark, last = address.rpartition("::")
    file = last.removeprefix("file://")
    if not mark or "://" in file or last.startswith("file:///"):
        return address
    return f"{inside}{mark}{os.path.abspath(os.path.expanduser(file))}"  # noqa: PTH100, PTH111 (a text, as fsspec's)


@functools.cache
def _open(address: str) -> tuple[Any, str]:
    """Return the file system behind an address, and the path in it. Raises what that file system raises."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(address)
    return system, path


def _list(address: str) -> list[str]:
    """Return the paths of the files behind an address, sorted; those that lead out of their folder are left out."""
    try:
        import fsspec  # noqa: F401
    except ImportError as error:
        raise MissingExtra("fsspec", "cluster") from error
    try:
        system, path = _open(address)
        found = (
            system.glob(path, detail=True) if any(mark in path for mark in "*?[") else system.find(path, detail=True)
        )
    except Exception as error:
        raise SourceError(f"cannot list {address}: {_reason(error)}; check the address and your access") from error
    return sorted(name for name, entry in found.items() if entry["type"] == "file" and ".." not in name.split("/"))


def _reason(error: Exception) -> str:
    """Return an error as one line; a missing package, as `Install s3fs to access S3`, says so itself."""
    return " ".join(str(error).split()) or type(error).__name__

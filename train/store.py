"""Keep the faces of a data set on disk, and read those that are asked for: a million faces take 2.3 GB.

The file is temporary and has no name: it is gone when the process ends, however it ends, so it cannot be out of date.
Reading in place of mapping keeps the process small: pages of a mapped file count as its memory.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from edge.errors import OutputError
from edge.values import Image

WRITE_BUFFER = 1 << 18  # bytes
BLOCK = 1024  # pictures read at once by what goes through all of them

Indices: TypeAlias = npt.NDArray[np.int64]


def scratch_folder() -> str:
    """Return the folder for large temporary files: TMPDIR, or else /var/tmp, since /tmp is often kept in memory."""
    if "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK):
        return "/var/tmp"
    return tempfile.gettempdir()


class Store:
    """Write pictures uint8 of one shape to a temporary file, and read any of them. Threads may share it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._size = int(np.prod(shape))  # bytes of a picture
        self._count = 0
        self._lock = threading.Lock()
        self._folder = scratch_folder()
        try:
            self._file = tempfile.TemporaryFile(buffering=WRITE_BUFFER, dir=self._folder)  # noqa: SIM115
        except OSError as error:
            raise self._full(error) from error

    def append(self, image: Image) -> int:
        """Write a picture and return its position, from 0. Raises OutputError if the disk is full."""
        try:
            self._file.write(image.tobytes())
        except OSError as error:
            raise self._full(error) from error
        self._count += 1
        return self._count - 1

    def finish(self) -> None:
        """Write what is still in memory; `read` comes after it. Raises OutputError if the disk is full."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._full(error) from error

    def read(self, positions: Indices) -> Image:
        """Return the pictures at these positions, uint8 [..., *shape]; neighbours are read at once."""
        images = np.empty((*positions.shape, *self.shape), dtype=np.uint8)
        bytes_left = memoryview(images.reshape(-1))  # type: ignore[arg-type]  # mypy knows no buffers before 3.12
        flat = positions.reshape(-1)
        starts = np.flatnonzero(np.diff(flat, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(flat)) * self._size
        with self._lock:
            for offset, length in zip((flat[starts] * self._size).tolist(), lengths.tolist(), strict=True):
                self._fill(offset, bytes_left[:length])
                bytes_left = bytes_left[length:]
        return images

    def _fill(self, offset: int, target: memoryview) -> None:
        raw = self._file.raw  # type: ignore[attr-defined]  # the buffer would read its own size for each picture
        raw.seek(offset)
        while target:
            count = raw.readinto(target)
            if not count:
                raise OSError(
                    f"expected {len(target)} more bytes of faces in {self._folder}, found the end of the file"
                )
            target = target[count:]

    def _full(self, error: OSError) -> OutputError:
        reason = error.strerror or error
        return OutputError(f"cannot keep the faces in {self._folder}: {reason}; set TMPDIR to a folder with room")


class Pictures:
    """Hold n pictures of a store, uint8 [n, *shape]. A key as that of an array reads them; `take` does not."""

    def __init__(self, store: Store, positions: Indices) -> None:
        self.store = store
        self.positions = positions

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Any) -> Image:
        return self.store.read(np.asarray(self.positions[key]))

    def __iter__(self) -> Iterator[Image]:
        for start in range(0, len(self), BLOCK):
            yield from self[start : start + BLOCK]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.store.shape)

    def take(self, indices: Indices, axis: int = 0) -> Pictures:
        """Return the pictures at these indices, without reading them; `axis` is there as that of an array, and 0."""
        return Pictures(self.store, self.positions[indices])

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def tobytes(self) -> bytes:
        return self[:].tobytes()


Images: TypeAlias = "Image | Pictures"  # [n, height, width]; of arrays, only what Pictures can do is used


def join(parts: Sequence[Images]) -> Images:
    """Return the images of all parts, one part after the other; those of one store are not read."""
    pictures = [part for part in parts if isinstance(part, Pictures)]
    if len(pictures) == len(parts) and len({id(part.store) for part in pictures}) == 1:
        return Pictures(pictures[0].store, np.concatenate([part.positions for part in pictures]))
    return np.concatenate([part[:] for part in parts])


class Names(Sequence[str]):
    """Hold n names in one run of bytes: as strings, those of a million files take 90 MB."""

    def __init__(self, text: bytes | bytearray, bounds: Indices, positions: Indices) -> None:
        self.text = text
        self.bounds = bounds  # name i is from bounds[i] to bounds[i + 1]
        self.positions = positions

    @overload
    def __getitem__(self, key: int) -> str: ...

    @overload
    def __getitem__(self, key: slice) -> Names: ...

    def __getitem__(self, key: int | slice) -> str | Names:
        if isinstance(key, slice):
            return Names(self.text, self.bounds, self.positions[key])
        position = self.positions[key]
        return os.fsdecode(bytes(self.text[self.bounds[position] : self.bounds[position + 1]]))

    def __len__(self) -> int:
        return len(self.positions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


def take_names(names: Sequence[str], indices: Indices) -> Sequence[str]:
    """Return the names at these indices."""
    if isinstance(names, Names):
        return Names(names.text, names.bounds, names.positions[indices])
    return tuple(names[i] for i in indices)


class Mirrored:
    """Show images mirrored, left to right, as they are read."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: slice) -> Image:
        return np.ascontiguousarray(self.images[key][:, :, ::-1])

    def __iter__(self) -> Iterator[Image]:
        for image in self.images:
            yield np.ascontiguousarray(image[:, ::-1])

"""Read from the structure of a video file whether it is whole, and how long it says that it is."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"  # of Matroska, which holds everything
HEAD_BYTES = 4096


def most_frames(path: Path, fps: float) -> float:
    """Return the most frames that a file at this rate may have by its own words; infinity if they give no limit.

    An MP4 or MOV file that was trimmed on a phone keeps its other frames, and says how long it is to be shown. A
    Matroska or WebM file says how long it is, sound included, but not how many frames it has: 0 if no byte is missing.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if head.startswith(EBML):
                return 0 if _is_whole_matroska(head, path.stat().st_size) else math.inf
            length_s = _movie_length_s(file) if head[4:8] == b"ftyp" else None
    except (OSError, struct.error):  # gone meanwhile, or damaged
        return math.inf
    return math.inf if length_s is None else length_s * fps


def _is_whole_matroska(head: bytes, file_size: int) -> bool:
    """Return whether the segment ends within the file (RFC 9559).

    A size has as many bytes as the position of its first bit tells; all further bits set mean that it is unknown.
    """
    start = head.find(SEGMENT) + len(SEGMENT)
    if start < len(SEGMENT) or start >= len(head) or not head[start]:
        return False
    length = 9 - head[start].bit_length()
    largest = (1 << 7 * length) - 1
    size = int.from_bytes(head[start : start + length], "big") & largest
    return size == largest or start + length + size <= file_size


def _movie_length_s(file: BinaryIO) -> float | None:
    """Return the length in the movie header of an MP4 or MOV file (ISO/IEC 14496-12); None if there is none."""
    file.seek(0, 2)
    for kind, start, end in _boxes(file, 0, file.tell()):
        if kind == b"moov":
            for inner, at, _ in _boxes(file, start, end):
                if inner == b"mvhd":
                    file.seek(at)
                    return _duration_s(file.read(36))
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the contents of each box."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack(">I4s", head[:8])
        length = 8
        if size == 1 and len(head) == 16:
            size, length = struct.unpack(">Q", head[8:])[0], 16
        size = size or end - start
        if size < length:
            return
        yield kind, start + length, start + size
        start += size


def _duration_s(header: bytes) -> float | None:
    """Return the duration of a movie header of version 0 or 1; None if it is unknown, as in a fragmented file."""
    if len(header) < 36:
        return None
    timescale, duration = (
        struct.unpack_from(">IQ", header, 20) if header[0] == 1 else struct.unpack_from(">II", header, 12)
    )
    return duration / timescale if timescale and duration else None

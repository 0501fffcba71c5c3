"""Look at a picture file's bytes before it is decoded: its format, its size, and whether all of it is there."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = 64  # bytes of a file that tell its format

# The first that matches a file's first bytes. OpenCV's own check differs by version and takes a file's name, which it
# cannot open if the name is not valid in the system's encoding.
FORMATS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8[79]a",
    "WebP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "PNM": rb"P[1-6]\s+[\d#]|P7\nWIDTH|P[fF]\n\d",
    "JPEG 2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "AVIF": rb".{4}ftyp(avi[fs]|(mif1|msf1).*avi[fs])",
    "HEIC": rb".{4}ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)",
    "JPEG XL": rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a",
    "Radiance HDR": rb"#\?(RADIANCE|RGBE)",
    "OpenEXR": rb"v/1\x01",
    "Sun raster": rb"Y\xa6j\x95",
}
_FORMATS = {name: re.compile(pattern, re.DOTALL) for name, pattern in FORMATS.items()}

# JPEG (ITU T.81, table B.1): 0xff and 0 is a byte of data, 0xd0 to 0xd7 are restart markers inside it.
_JPEG_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)
_JPEG_END = 0xD9
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the segments that hold the size

# Tags of TIFF 6.0, which EXIF uses too.
_PREVIEW = 254  # bit 0: a smaller copy of another picture of the file
_WIDTH = 256
_HEIGHT = 257
_ORIENTATION = 274


@dataclass(frozen=True)
class Header:
    """Hold what the bytes of a picture tell.

    `size` is width and height in pixels, None if only the decoder knows. `orientation` is EXIF's, 1 to 8, of the
    formats that OpenCV does not turn upright in every version. `problem` is why the picture must not be read.
    """

    format: str
    size: tuple[int, int] | None = None
    orientation: int = 1
    has_more: bool = False  # an animation, or several pages
    problem: str | None = None


def picture_format(head: bytes) -> str | None:
    """Return the format of a picture by its first bytes, None if it is no picture."""
    return next((name for name, pattern in _FORMATS.items() if pattern.match(head)), None)


def look(data: bytes) -> Header | None:
    """Return the header of a picture file's contents, None if it is no picture."""
    name = picture_format(data[:HEAD])
    if name is None:
        return None
    try:
        return _READERS[name](data) if name in _READERS else Header(name)
    except (struct.error, IndexError):  # the header itself is cut off
        return Header(name, problem="cut off; fetch it again or remove it")


def _jpeg(data: bytes) -> Header:
    """Read the size, and whether the end is there. Bytes after the end are sound: phones append a video or a depth."""
    size = None
    for marker, start in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 3)
            size = (width, height)
        if marker == _JPEG_END:
            return Header("JPEG", size)
    return Header("JPEG", size, problem="cut off: its end is missing; fetch it again or remove it")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker with the place of what follows it. Pictures inside a segment, as previews, are passed over."""
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker = match[1][0]
        yield marker, match.end()
        if marker == _JPEG_END:
            return
        position = match.end() + struct.unpack_from(">H", data, match.end())[0]


def _png(data: bytes) -> Header:
    return Header("PNG", struct.unpack_from(">II", data, 16), has_more=b"acTL" in data[: data.find(b"IDAT")])


def _gif(data: bytes) -> Header:
    """Count the blocks that precede each picture of an animation."""
    return Header("GIF", struct.unpack_from("<HH", data, 6), has_more=data.count(b"\x21\xf9\x04") > 1)


def _webp(data: bytes) -> Header:
    """Read the chunks (RFC 9649): the flags of an extended file, and its EXIF."""
    has_more = data[12:16] == b"VP8X" and bool(data[20] & 2)
    position = 12
    orientation = 1
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        if name == b"EXIF":
            orientation = _exif_orientation(data[position + 8 : position + 8 + length])
        position += 8 + length + length % 2
    return Header("WebP", orientation=orientation, has_more=has_more)


def _avif(data: bytes) -> Header:
    """Read the properties (ISO/IEC 23008-12) that turn and mirror; AVIF ignores EXIF's orientation."""
    turns, axis = (_property(data, name) for name in (b"irot", b"imir"))
    turned = (1, 8, 3, 6)[(turns or 0) & 3]  # quarter turns anticlockwise
    mirrored = {None: turned, 0: _FLIPPED_DOWN[turned], 1: _FLIPPED_ACROSS[turned]}
    has_more = data[8:12] == b"avis"
    return Header("AVIF", orientation=mirrored[None if axis is None else axis & 1], has_more=has_more)


# Orientation -> the orientation that also exchanges top and bottom, or left and right, of the upright picture.
_FLIPPED_DOWN = {1: 4, 8: 5, 3: 2, 6: 7}
_FLIPPED_ACROSS = {1: 2, 8: 7, 3: 4, 6: 5}


def _property(data: bytes, name: bytes) -> int | None:
    """Return the byte that a property box of 9 bytes holds, None without one."""
    place = data.find(b"\0\0\0\x09" + name)
    return data[place + 8] if 0 <= place < len(data) - 8 else None


def _tiff(data: bytes) -> Header:
    if data[2:3] == b"+" or data[3:4] == b"+":  # BigTIFF has other directories
        return Header("TIFF")
    tags, has_more = _directory(data)
    size = (tags[_WIDTH], tags[_HEIGHT]) if _WIDTH in tags and _HEIGHT in tags else None
    if tags.get(_PREVIEW, 0) & 1:
        return Header("TIFF", problem="a camera's raw file, of which only the preview is readable; convert it to JPEG")
    return Header("TIFF", size, has_more=has_more)


def _exif_orientation(exif: bytes) -> int:
    try:
        orientation = _directory(exif.removeprefix(b"Exif\0\0"))[0].get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def _directory(tiff: bytes) -> tuple[dict[int, int], bool]:
    """Return the whole numbers of a TIFF's first directory by tag, and whether another directory follows."""
    order = "<" if tiff[:2] == b"II" else ">"
    start = struct.unpack_from(f"{order}I", tiff, 4)[0]
    count = struct.unpack_from(f"{order}H", tiff, start)[0]
    tags = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, place)
        if kind in (3, 4) and values == 1:  # a short, a long
            tags[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", tiff, place + 8)[0]
    return tags, struct.unpack_from(f"{order}I", tiff, start + 2 + 12 * count)[0] != 0


_READERS = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WebP": _webp, "AVIF": _avif, "TIFF": _tiff}

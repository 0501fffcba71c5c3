"""Read and encode pictures: the only place that does, so that every command reads the same file alike.

Files are read and written as bytes: OpenCV opens no name that is not UTF-8 and, on Windows, none outside its code page.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np

from edge.errors import EmotionError, MissingExtra, OutputError, SourceError
from edge.opencv import MAX_PIXELS, cv2, translate_errors
from edge.picture_header import Header, look
from edge.quiet import native_lines
from edge.values import Image

MAX_BYTES = 8 * MAX_PIXELS  # as many as the largest picture has with four colours of 16 bits
CODECS = {"AVIF": ".avif", "GIF": ".gif"}  # formats that OpenCV's packages have read since 4.11 or 4.12
UNSAFE_JPEG_2000 = ("4.10.", "4.11.")  # a crafted file writes anywhere in memory: CVE-2025-53644
# What libjpeg says of data that is gone. "2 extraneous bytes" is no damage: some cameras write them.
DAMAGE = re.compile(r"premature end|bad Huffman code|instead of RST|\d{3,} extraneous bytes", re.IGNORECASE)


class PictureTooLarge(SourceError):
    """Report a picture of too many pixels."""


def read_picture(file: Path) -> Image:
    """Return a picture, uint8 [height, width, 3] BGR, upright by its EXIF orientation.

    Grey pictures and those with transparency become BGR too; 16-bit ones have 8. Of an animation or several pages, it
    is the first. Raises SourceError if the file cannot be read, is no picture, is damaged, or is too large.
    """
    return decode_picture(read_bytes(file), str(file))


def read_bytes(file: Path) -> bytes:
    """Return the contents of a file; raise SourceError if it cannot be read or is too large for a picture."""
    try:
        with file.open("rb") as opened:
            check_bytes(os.fstat(opened.fileno()).st_size, str(file))
            return opened.read()
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "out of memory"
        raise SourceError(f"cannot read {file}: {reason}; check the file") from error


def check_bytes(size: int, name: str) -> None:
    """Raise SourceError for a file of more bytes than a picture has."""
    if size > MAX_BYTES:
        raise SourceError(f"expected a picture of at most {MAX_BYTES / 1e6:.0f} MB, {name} is larger")


def read_header(data: bytes, name: str) -> Header:
    """Return the header of a picture file's contents. Raises SourceError for what must not be decoded.

    `name` is for messages.
    """
    header = look(data)
    if header is None:
        raise SourceError(f"expected a picture, cannot decode {name}; check the file")
    if header.problem:
        raise SourceError(f"expected a whole picture, but {name} is {header.problem}")
    if header.size:
        check_size(header.size, name)
    return header


def decode_picture(data: bytes, name: str, grey: bool = False, header: Header | None = None) -> Image:
    """Return the picture that a file's contents hold, as read_picture does; `grey` gives uint8 [height, width].

    `header` is that of read_header, if it was called before. Raises SourceError.
    """
    header = header or read_header(data, name)
    if _opencv_reads(header):
        return _decode(data, header, name, grey)
    image = _decode_with_pillow(data, header.format, name)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if grey else image


def check_size(size: tuple[int, int], name: str, most: int = MAX_PIXELS) -> None:
    """Raise PictureTooLarge for a header that asks for too much memory, as a damaged or hostile one does."""
    if size[0] * size[1] > most:
        raise PictureTooLarge(
            f"expected a picture of at most {most / 1e6:.0f} million pixels, but {name} has"
            f" {size[0]} x {size[1]}; make it smaller"
        )


def _opencv_reads(header: Header) -> bool:
    if header.format == "HEIC":  # there is no decoder; OpenCV's FFmpeg gives one tile of the picture
        return False
    if header.format == "JPEG 2000" and cv2.__version__.startswith(UNSAFE_JPEG_2000):
        return False
    is_animated_webp = header.format == "WebP" and header.has_more  # its decoder came with GIF's
    codec = ".gif" if is_animated_webp else CODECS.get(header.format)
    return codec is None or bool(cv2.haveImageWriter(f"x{codec}"))


def _decode(data: bytes, header: Header, name: str, grey: bool) -> Image:
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    if header.format in ("WebP", "AVIF"):  # whether OpenCV turns these upright depends on its version
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    image, damage = _decode_once(data, flags, name)
    if damage:  # or another thread's decoder wrote this: of a camera, for example
        image, damage = _decode_once(data, flags, name)
    if image is None:
        raise SourceError(
            f"cannot decode {name}: a damaged {header.format} picture, or a kind that OpenCV {cv2.__version__} does not"
            " read; fetch it again, or convert it to PNG"
        )
    if damage:
        raise SourceError(f"expected a whole picture, but {name} is damaged ({damage}); fetch it again or remove it")
    return _upright(image, header.orientation)


def _decode_once(data: bytes, flags: int, name: str) -> tuple[Image | None, str | None]:
    """Return the picture, None if OpenCV cannot decode it, and the line by which a library reports damage."""
    with native_lines() as lines, translate_errors(SourceError, f"cannot decode {name}"):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return image, next((line for line in lines if DAMAGE.search(line)), None)


def _upright(image: Image, orientation: int) -> Image:
    """Return the picture turned and mirrored by an EXIF orientation, 1 to 8."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _decode_with_pillow(data: bytes, kind: str, name: str) -> Image:
    """Decode what OpenCV does not: HEIC and, by the older ones, AVIF, GIF and animated WebP."""
    try:
        import pillow_heif
        from PIL import Image as PillowImage
        from PIL import ImageOps
    except ImportError:
        missing = MissingExtra("pillow-heif", "heic")
        raise SourceError(f"cannot decode {name}, a picture in the format {kind}: {missing}") from None
    pillow_heif.register_heif_opener()
    try:
        with PillowImage.open(io.BytesIO(data)) as picture:
            check_size(picture.size, name)
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except EmotionError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files
        raise SourceError(f"expected a whole {kind} picture, cannot decode {name} ({error}); fetch it again") from error
    return np.ascontiguousarray(np.asarray(upright, dtype=np.uint8)[:, :, ::-1])


def encode_picture(image: Image, suffix: str, quality: int | None = None) -> bytes:
    """Return a picture as the contents of a file with this suffix; `quality` is that of a JPEG, 0 to 100.

    Raises OutputError if it does not fit the format.
    """
    height, width = image.shape[:2]
    problem = f"{width} x {height} pixels do not fit the format {suffix}"
    with translate_errors(OutputError, problem):
        parameters = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
        is_encoded, data = cv2.imencode(suffix, image, parameters)
    if not is_encoded:
        raise OutputError(problem)
    return data.tobytes()

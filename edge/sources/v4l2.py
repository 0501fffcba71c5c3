"""Ask Linux what a video device is, through the ioctls of Video4Linux.

Structures and numbers: include/uapi/linux/videodev2.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

VIDIOC_QUERYCAP = 0x80685600  # struct v4l2_capability
VIDIOC_ENUM_FMT = 0xC0405602  # struct v4l2_fmtdesc
VIDIOC_REQBUFS = 0xC0145608  # struct v4l2_requestbuffers
VIDIOC_ENUM_FRAMESIZES = 0xC02C564A  # struct v4l2_frmsizeenum
CAPTURES = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE and its variant of several planes
MEMORY_TO_MEMORY = 0x8000 | 0x4000
METADATA = 0x00800000
HAS_DEVICE_CAPS = 0x80000000
DISCRETE_SIZE = 1
MMAP = 1
MAX_LISTED = 64  # of formats and sizes, in case a driver never ends

Ioctl = Callable[[int, int, bytearray], object]


class Answer(NamedTuple):
    """Hold what a device says about itself."""

    driver: str
    card: str
    captures: bool  # whether it gives pictures
    is_metadata: bool
    formats: dict[str, tuple[int, int]]  # FourCC -> largest width and height in pixels; (0, 0) if unknown


def ask(device: Path, ioctl: Ioctl | None = None) -> Answer:
    """Return what a device says about itself. Raises OSError, PermissionError among others."""
    with _opened(device, ioctl) as (descriptor, call):
        answer = bytearray(104)
        call(descriptor, VIDIOC_QUERYCAP, answer)
        driver, card, _, _, of_all, of_node = struct.unpack("=16s32s32sIII12x", answer)
        capabilities = of_node if of_all & HAS_DEVICE_CAPS else of_all
        captures = bool(capabilities & CAPTURES) and not capabilities & MEMORY_TO_MEMORY
        formats = dict(_formats(descriptor, call, capabilities)) if captures else {}
        return Answer(_text(driver), _text(card), captures, bool(capabilities & METADATA), formats)


def is_busy(device: Path, ioctl: Ioctl | None = None) -> bool:
    """Return whether another program takes pictures from a device: then it does not free the device's buffers for us.

    Raises OSError if the device cannot be opened.
    """
    with _opened(device, ioctl) as (descriptor, call):
        try:
            call(descriptor, VIDIOC_REQBUFS, bytearray(struct.pack("=III8x", 0, 1, MMAP)))
        except OSError as error:
            return error.errno == errno.EBUSY
    return False


@contextlib.contextmanager
def _opened(device: Path, ioctl: Ioctl | None) -> Iterator[tuple[int, Ioctl]]:
    if ioctl is None:
        import fcntl  # Windows has none

        ioctl = fcntl.ioctl
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        yield descriptor, ioctl
    finally:
        os.close(descriptor)


def _formats(descriptor: int, ioctl: Ioctl, capabilities: int) -> Iterator[tuple[str, tuple[int, int]]]:
    kind = 1 if capabilities & 0x1 else 9  # V4L2_BUF_TYPE_VIDEO_CAPTURE, or the same of several planes
    for index in range(MAX_LISTED):
        answer = bytearray(struct.pack("=III52x", index, kind, 0))
        try:
            ioctl(descriptor, VIDIOC_ENUM_FMT, answer)
        except OSError:  # there are no more
            return
        fourcc = bytes(answer[44:48])
        yield _text(fourcc), max(_sizes(descriptor, ioctl, fourcc), default=(0, 0))


def _sizes(descriptor: int, ioctl: Ioctl, fourcc: bytes) -> Iterator[tuple[int, int]]:
    for index in range(MAX_LISTED):
        answer = bytearray(struct.pack("=I4s36x", index, fourcc))
        try:
            ioctl(descriptor, VIDIOC_ENUM_FRAMESIZES, answer)
        except OSError:
            return
        kind, *numbers = struct.unpack_from("=7I", answer, 8)
        if kind != DISCRETE_SIZE:  # smallest width, largest width, step, and the same of the height
            yield numbers[1], numbers[4]
            return
        yield numbers[0], numbers[1]


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace").strip()

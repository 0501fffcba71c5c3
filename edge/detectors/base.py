"""Define the protocol of a face detector, and the helpers of all detectors."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from edge.errors import ModelError
from edge.model_file import read_model_bytes
from edge.opencv import cv2
from edge.untrusted import printable
from edge.values import Box, Face, Image

MAX_IOU = 0.3  # boxes that overlap more are one face


class Detector(Protocol):
    """Find faces in images, uint8 [height, width, 3] BGR or [height, width] grey. Detectors subclass this."""

    name: str
    invoke: Callable[..., Any]  # the library call inside, which the benchmarks time alone
    detect_interval: int = 10  # frames from one detection to the next while faces are tracked; see edge.tracker
    cores: int = 1  # that OpenCV can use for it, at most
    smallest_face: float = 1 / 32  # of the longer side: looked for in a video while no face is tracked

    def __init__(self, model: Path | None) -> None:
        """Open the detector; `model` is its file, None for the usual one.

        Raises MissingExtra, ModelError or UsageError.
        """

    def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
        """Return all faces, largest first, as the squares that FER-2013 would have cut out, in pixels of the image.

        `smallest` is the width in pixels of the smallest face to look for: the larger it is, the faster the detection.
        None means a thorough search, for an image that stands alone.
        """
        ...

    def close(self) -> None:
        """Release what the detector holds."""


@dataclass(frozen=True)
class Crop:
    """Map a detector's own box to a square cut like the training faces; in fractions of the box's size.

    The size of a box is the square root of its area. The values are those with the lowest log loss of the classifier
    on the labelled faces of `python -m benchmarks.crops`.
    """

    scale: float
    down: float = 0.0

    def face(self, x: float, y: float, width: float, height: float, score: float = 1.0) -> Face:
        """Return the face of a box (left, top, width, height in pixels)."""
        size = (width * height) ** 0.5
        side = max(1, round(self.scale * size))
        left = x + (width - side) / 2
        top = y + (height - side) / 2 + self.down * size
        return Face(Box(round(left), round(top), side, side), score)


def read_model(named: Path | None, ours: Path, sha256: str) -> bytes:
    """Return a detector's model file: the one that the user named, or else ours.

    Raises ModelError for a missing file, and if ours is damaged.
    """
    content = read_model_bytes(named or ours)
    if named is None and hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"damaged model {ours}: its sha256 is not {sha256}; install it again")
    return content


def warn_of_unknown(named: Path | None, content: bytes, sha256: str) -> None:
    """Say on stderr that the file that the user named, which could be opened, is not the known one."""
    if named is not None and hashlib.sha256(content).hexdigest() != sha256:
        print(f"warning: {printable(str(named))} is an unknown model: its sha256 is not {sha256}", file=sys.stderr)


def shrink(image: Image, longest_side: float) -> tuple[Image, float]:
    """Return the image with its longer side at most so many pixels, and its scale (1 where it was small enough)."""
    scale = longest_side / max(image.shape[:2])
    if scale >= 1:
        return image, 1.0
    size = [max(1, round(side * scale)) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """Return the faces in the order in which every detector returns them."""
    return sorted(faces, key=lambda face: (-face.box.width, face.box.x, face.box.y))

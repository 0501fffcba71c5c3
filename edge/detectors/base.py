"""Define what a face detector must offer.

A detector's box is the square that FER-2013 would have cut out around the face, whatever the detector itself marks:
the classifier has learnt from such squares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from edge.values import Face, Image


class Detector(Protocol):
    """Finds faces in pictures, uint8 [height, width, 3] BGR or [height, width] grey."""

    name: str
    invoke: Callable[..., Any]  # the library call inside, which the benchmarks time alone
    detect_interval: int  # frames from one detection to the next while faces are tracked; see edge.tracker
    cores: int  # that OpenCV needs for it, at most

    def detect(self, image: Image) -> list[Face]:
        """All faces, largest first, boxes in the picture's pixels."""
        ...

    def close(self) -> None: ...


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """The order in which every detector gives its faces."""
    return sorted(faces, key=lambda face: (-face.box.width, face.box.x, face.box.y))

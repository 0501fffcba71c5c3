"""Whatever finds faces, behind one protocol.

A detector's box is the square that FER-2013 would have cut out around the face, whatever the detector itself marks:
the classifier learnt from such squares. `detect` looks at the whole picture; `near` looks for one known face in its
surroundings only, which costs Haar a thirtieth of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from edge.errors import UsageError
from edge.values import Box, Face, Image

DETECTORS = {
    "haar": "edge.detectors.haar:Haar",
    "blazeface": "edge.detectors.blazeface:BlazeFace",
    "mediapipe": "edge.detectors.mediapipe:MediaPipe",
}
SAME_FACE_IOU = 0.3  # two boxes that overlap so much are one face


class Detector(Protocol):
    """Finds faces in pictures, uint8 [height, width, 3] BGR or [height, width] grey."""

    name: str
    raw: Callable[..., Any]  # the library call inside, which the benchmarks time alone
    every: int  # a full detection on each so many frames pays best; 1 where it is as cheap as a search

    def detect(self, image: Image) -> list[Face]:
        """All faces, largest first, boxes in the picture's pixels."""
        ...

    def near(self, image: Image, box: Box) -> Face | None:
        """The face that was inside `box` a frame ago, or None where it is not to be seen near there."""
        ...

    def close(self) -> None: ...


def open_detector(name: str = "auto", model: Path | None = None) -> Detector:
    """A detector by its name; `auto` is blazeface where its model file is at hand, else haar.

    `model` is BlazeFace's file. Raises MissingExtra, ModelError or UsageError.
    """
    if name == "auto":
        from edge.detectors import blazeface

        name = "blazeface" if model is not None or blazeface.CACHED.is_file() else "haar"
    if model is not None and name == "haar":
        raise UsageError("expected --detector blazeface or mediapipe with --detector-model, found haar, which has none")
    module, attribute = DETECTORS[name].split(":")
    make = getattr(importlib.import_module(module), attribute)
    detector: Detector = make() if name == "haar" else make(model)
    return detector


def look_near(image: Image, box: Box, reach: float, detect: Callable[[Image], list[Face]]) -> Face | None:
    """Detect in the part of a picture `reach` times as wide as a box; the face there that overlaps the box most."""
    side = max(box.width, box.height) * reach
    left, top = (max(0, round(centre - side / 2)) for centre in box.centre)
    right, bottom = (max(0, round(centre + side / 2)) for centre in box.centre)
    part = image[top:bottom, left:right]
    if not part.size:
        return None
    faces = [Face(face.box.moved(left, top), face.score) for face in detect(part)]
    best = max(faces, key=lambda face: face.box.iou(box), default=None)
    return best if best is not None and best.box.iou(box) >= SAME_FACE_IOU else None


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """The order in which every detector gives its faces."""
    return sorted(faces, key=lambda face: (-face.box.width, face.box.x, face.box.y))

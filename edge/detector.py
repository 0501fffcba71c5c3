"""Whatever finds faces, behind one protocol.

A detector's box is the square that FER-2013 would have cut out around the face, whatever the detector itself marks:
the classifier learnt from such squares.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from edge.detectors import blazeface_model
from edge.errors import UsageError
from edge.values import Face, Image

DETECTORS = {
    "haar": "edge.detectors.haar:Haar",
    "blazeface": "edge.detectors.blazeface:BlazeFace",
    "mediapipe": "edge.detectors.mediapipe:MediaPipe",
}


DETECTING_CORES = 4  # Haar gains little from more


def default_cores(detector: str) -> int:
    """Cores for OpenCV where nobody asked for another number; the classifier, which never runs meanwhile, takes one.

    One where OpenCV does but small things: on two cores those take longer.
    """
    return min(DETECTING_CORES, os.cpu_count() or 1) if detector == "haar" else 1


class Detector(Protocol):
    """Finds faces in pictures, uint8 [height, width, 3] BGR or [height, width] grey."""

    name: str
    raw: Callable[..., Any]  # the library call inside, which the benchmarks time alone
    every: int  # frames from one detection to the next while faces are followed; see edge.tracker

    def detect(self, image: Image) -> list[Face]:
        """All faces, largest first, boxes in the picture's pixels."""
        ...

    def close(self) -> None: ...


def open_detector(name: str = "auto", model: Path | None = None) -> Detector:
    """A detector by its name; `auto` is blazeface where its model file is at hand, else haar.

    `model` is BlazeFace's file. Raises MissingExtra, ModelError or UsageError.
    """
    if name == "auto":
        name = "blazeface" if model is not None or blazeface_model.at_hand() else "haar"
    if model is not None and name == "haar":
        raise UsageError("expected --detector blazeface or mediapipe with --detector-model, found haar, which has none")
    module, attribute = DETECTORS[name].split(":")
    make = getattr(importlib.import_module(module), attribute)
    detector: Detector = make() if name == "haar" else make(model)
    return detector


def largest_first(faces: Iterable[Face]) -> list[Face]:
    """The order in which every detector gives its faces."""
    return sorted(faces, key=lambda face: (-face.box.width, face.box.x, face.box.y))

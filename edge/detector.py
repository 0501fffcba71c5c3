"""Open a face detector by name."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

from edge.detectors.base import Detector
from edge.errors import UsageError
from edge.opencv import cv2

DETECTORS = {
    "haar": "edge.detectors.haar:Haar",
    "blazeface": "edge.detectors.blazeface:BlazeFace",
    "mediapipe": "edge.detectors.mediapipe:MediaPipe",
}


def open_detector(name: str = "auto", model: Path | None = None) -> Detector:
    """Open a detector; `auto` is blazeface where its model file is at hand, else haar.

    `model` is a model file for the detectors that take one. Raises MissingExtra, ModelError or UsageError.
    """
    if name == "auto":
        from edge.detectors import blazeface_model

        name = "blazeface" if model is not None or blazeface_model.at_hand() else "haar"
    if name not in DETECTORS:
        raise UsageError(f"expected a detector auto, {', '.join(DETECTORS)}, found {name!r}")
    module, attribute = DETECTORS[name].split(":")
    detector: Detector = getattr(importlib.import_module(module), attribute)(model)
    return detector


def set_cores(detector: Detector, threads: int | None = None) -> None:
    """Give OpenCV the cores that the user asked for or, where nobody asked, those that help this detector.

    More threads than useful cost time: on two cores, small operations take longer with two. The classifier never runs
    at the same time as the detector, so its core is free.
    """
    cv2.setNumThreads(threads or min(detector.cores, os.cpu_count() or 1))

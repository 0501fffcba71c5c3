"""Open a face detector by name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from edge.detectors.base import Detector
from edge.errors import MissingExtra, ModelError, UsageError
from edge.host import cores
from edge.opencv import cv2, load_opencv

DETECTORS = {
    "yunet": "edge.detectors.yunet:YuNet",
    "haar": "edge.detectors.haar:Haar",
    "blazeface": "edge.detectors.blazeface:BlazeFace",
    "mediapipe": "edge.detectors.mediapipe:MediaPipe",
}
DEFAULT = "yunet"
FALLBACK = "haar"  # needs no file
DETECTOR_BY_SUFFIX = {".tflite": "blazeface", ".onnx": "yunet"}  # of a model file that is named without a detector


def open_detector(name: str = "auto", model: Path | None = None) -> Detector:
    """Open a detector; `auto` is the default one or, where that cannot run, the one that needs no file.

    `model` is a file for the detectors that accept one; with `auto`, its suffix chooses the detector.
    Raises MissingExtra, ModelError or UsageError.
    """
    load_opencv()  # every detector needs it, the fallback too
    if name != "auto":
        return _open(name, model)
    if model is not None:
        return _open(DETECTOR_BY_SUFFIX.get(model.suffix.lower(), DEFAULT), model)
    try:
        return _open(DEFAULT, None)
    except (MissingExtra, ModelError) as error:
        print(f"{DEFAULT} cannot run here ({error}); using {FALLBACK}", file=sys.stderr)
        return _open(FALLBACK, None)


def _open(name: str, model: Path | None) -> Detector:
    if name not in DETECTORS:
        raise UsageError(f"expected a detector auto, {', '.join(DETECTORS)}, found {name!r}")
    module, attribute = DETECTORS[name].split(":")
    detector: Detector = getattr(importlib.import_module(module), attribute)(model)
    return detector


def set_cores(detector: Detector, threads: int | None = None) -> None:
    """Let OpenCV use `threads` cores or, if None, as many as help this detector.

    More threads than help cost time: on two cores, small operations take longer with two. The classifier never runs at
    the same time as the detector, so its core is free.
    """
    cv2.setNumThreads(threads or min(detector.cores, cores()))

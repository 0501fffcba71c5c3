"""Find out what works here. Each function runs in a process of its own (see edge.doctor.probe)."""

from __future__ import annotations

import json
import os
import sys
import time

from edge.doctor.probe import MARK, Facts
from edge.errors import EmotionError


def numpy() -> Facts:
    """Return the version of numpy."""
    import numpy

    return {"version": numpy.__version__}


def opencv() -> Facts:
    """Return OpenCV's version, its graphical interface, and why it opens no window here."""
    from edge.opencv import load_opencv
    from edge.sinks.window import window_unavailable

    module = load_opencv()
    lines = [line.split(":")[1].strip() for line in module.getBuildInformation().splitlines() if "GUI:" in line]
    return {
        "version": module.__version__,
        "gui": lines[0] if lines and lines[0] else "yes",
        "yunet": hasattr(module, "FaceDetectorYN"),
        "haar": hasattr(module, "CascadeClassifier"),
        "no_window": window_unavailable(),
    }


def runtime() -> Facts:
    """Return the runtime of the shipped model, and its answer to the built-in face, which opening it checks."""
    from importlib.metadata import version

    from edge.backend import SHIPPED, open_backend
    from edge.self_check import face_input, self_check

    backend = open_backend(SHIPPED)
    check = self_check(backend)
    pixels = face_input(backend.card.input_size)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        backend.run(pixels)
        times.append(time.perf_counter() - start)
    return {
        "name": backend.name,
        "version": version(backend.name),
        "answer": str(check),
        "ms": round(1000 * sorted(times)[2], 1),
    }


def detector(name: str) -> Facts:
    """Return how many faces a detector finds in the built-in portrait, and in how many ms."""
    from edge.detector import open_detector
    from edge.picture import read_picture
    from edge.sources.demo import PHOTOGRAPH

    opened = open_detector(name)
    try:
        image = read_picture(PHOTOGRAPH)
        start = time.perf_counter()
        faces = opened.detect(image)
        return {"faces": len(faces), "ms": round(1000 * (time.perf_counter() - start))}
    finally:
        opened.close()


def fetch() -> Facts:
    """Download BlazeFace's model, if it is not there yet; return its path."""
    from edge.detectors.blazeface_model import fetch_model

    return {"path": str(fetch_model())}


def picamera2() -> Facts:
    """Return the cameras that picamera2 sees."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
    from picamera2 import Picamera2

    return {"cameras": [str(camera.get("Model", "camera")) for camera in Picamera2.global_camera_info()]}


def answer() -> None:
    """Run the function that the command line names, and print what it returns, or its error, in one line."""
    name, *arguments = sys.argv[1:]
    try:
        facts = globals()[name](*arguments)
    except EmotionError as error:
        facts = {"error": str(error)}
    except Exception as error:
        facts = {"error": f"{type(error).__name__}: {(str(error).splitlines() or ['no reason'])[0]}"}
    print(f"\n{MARK}{json.dumps(facts)}")

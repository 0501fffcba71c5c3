"""Capture from the Raspberry Pi's CSI camera, which OpenCV cannot see, through picamera2."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from edge.errors import SourceError
from edge.quiet import quiet
from edge.sources.base import CameraSettings
from edge.values import Image

os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # its log lines would appear among those of this program
INSTALL_HINT = (
    "run: sudo apt install python3-picamera2, and create the environment with: python3 -m venv --system-site-packages"
)
OLDER_NUMPY_HINT = "it is compiled for numpy 1; run: pip install '.[headless]' 'numpy<2'"
NEWER_NUMPY_HINT = "it is compiled for numpy 2; run: pip install --upgrade '.[headless]' 'numpy>=2'"


class PiCamera:
    """Capture from the Pi's camera. Raises SourceError if there is none."""

    supported_settings: tuple[str, ...] = ("resolution", "fps")
    may_be_still = False

    def __init__(self, text: str, settings: CameraSettings) -> None:
        library = _import(text)
        size = settings.resolution or (640, 480)
        self.fps = settings.fps or 30.0
        frame_us = round(1e6 / self.fps)
        camera = None
        try:
            camera = library.Picamera2()
            configuration = camera.create_video_configuration(
                main={"format": "RGB888", "size": size},  # picamera2's name for blue, green, red in memory
                controls={"FrameDurationLimits": (frame_us, frame_us)},
                queue=False,  # never a frame from before the call
            )
            camera.configure(configuration)
            camera.start()
        except (IndexError, RuntimeError) as error:  # none connected; in use by another program; beyond the sensor
            if camera:
                camera.close()  # else the next attempt would find it in use
            raise SourceError(f"cannot open the Pi's camera ({error}); try: rpicam-hello --list-cameras") from error
        self._camera = camera
        width, height = self._camera.camera_configuration()["main"]["size"]
        self.notice = None if (width, height) == size else f"the Pi's camera gives {width}x{height}"

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names the Pi's camera."""
        return text == "picamera"

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR."""
        return self._camera.capture_array("main")

    def release(self) -> None:
        """Close the camera."""
        self._camera.stop()
        self._camera.close()


def _import(text: str) -> Any:
    """Import picamera2. Raises SourceError.

    Parts of it that are compiled for another numpy raise ValueError, ImportError or AttributeError, and numpy writes a
    page about it to stderr.
    """
    with quiet():
        try:
            return importlib.import_module("picamera2")
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            message = f"--source {text} needs picamera2, cannot import it ({reason}); {_hint(reason)}"
            raise SourceError(message) from error


def _hint(reason: str) -> str:
    if "numpy" not in reason and "_ARRAY_API" not in reason:
        return INSTALL_HINT
    return OLDER_NUMPY_HINT if int(np.__version__.partition(".")[0]) >= 2 else NEWER_NUMPY_HINT

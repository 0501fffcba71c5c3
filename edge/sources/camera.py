"""Capture from a webcam through OpenCV."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import CameraSettings
from edge.sources.capture import OpenCVCapture
from edge.sources.frame_times import plausible_fps
from edge.values import Image

# Seconds until a silent driver's read fails (Linux); until then its thread holds the device, which cannot be reopened.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
INDEX = r"(?:/dev/video)?(\d{1,3})"
LINKS = "/dev/v4l/"  # udev's links by the name or the port of a camera
# Many cameras fail at their first reads, while they warm up, and some at a later one.
WARM_UP_S = 5.0
RETRY_S = 1.0
RETRY_INTERVAL_S = 0.02


def why_not(index: int) -> str:
    """Return why a camera cannot be opened; see edge.sources.camera_trouble."""
    from edge.sources import camera_trouble  # here: few runs need it

    return camera_trouble.why_not(index)


class Camera(OpenCVCapture):
    """Capture from a webcam, named by its number, /dev/videoN, or a link to that as in /dev/v4l/by-id."""

    supported_settings: tuple[str, ...] = ("resolution", "fps", "fourcc")
    may_be_still = False

    def __init__(self, text: str, settings: CameraSettings) -> None:
        index = _index(text)  # looked up at each opening: a camera that is replugged may get another number
        if index is None:
            raise SourceError(f"expected a camera at {text}, found none; plug it in, or see --list-cameras")
        super().__init__(cv2.VideoCapture(index), lambda: SourceError(f"cannot open camera {index}: {why_not(index)}"))
        self._index = index
        self._has_started = False
        self.notice = self._apply(settings, index)
        self.fps = plausible_fps(self.announced_fps())

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a webcam, connected or not."""
        return _index(text) is not None or text.startswith(LINKS)

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None if the camera is lost.

        Raises SourceError if it has never given one.
        """
        deadline_s = time.monotonic() + (RETRY_S if self._has_started else WARM_UP_S)
        while (image := super().read()) is None:
            if time.monotonic() >= deadline_s:
                break
            time.sleep(RETRY_INTERVAL_S)
        if image is None and not self._has_started:
            self.release()  # else it would be in use by this program
            raise SourceError(f"camera {self._index} opens but gives no picture: {why_not(self._index)}")
        self._has_started = True
        return image

    def _apply(self, settings: CameraSettings, index: int) -> str | None:
        """Request the settings, the pixel format first since it limits the others; return a notice if some differ."""
        values: dict[int, float] = {}
        if settings.fourcc:
            values[cv2.CAP_PROP_FOURCC] = cv2.VideoWriter.fourcc(*settings.fourcc)
        if settings.resolution:
            values[cv2.CAP_PROP_FRAME_WIDTH], values[cv2.CAP_PROP_FRAME_HEIGHT] = settings.resolution
        if settings.fps:
            values[cv2.CAP_PROP_FPS] = settings.fps
        for key, value in values.items():
            self._capture.set(key, value)
        granted = self._capture.get
        if all(abs(granted(key) - value) <= 0.5 for key, value in values.items()):
            return None
        width = granted(cv2.CAP_PROP_FRAME_WIDTH)
        height = granted(cv2.CAP_PROP_FRAME_HEIGHT)
        fourcc = int(granted(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("ascii", "replace")
        return (
            f"camera {index} does not support all requested settings; it gives {width:.0f}x{height:.0f} at"
            f" {granted(cv2.CAP_PROP_FPS):.0f} FPS in {fourcc.strip(chr(0)) or 'an unnamed format'}"
        )


def _index(text: str) -> int | None:
    """Return the number of the webcam that the text names."""
    match = re.fullmatch(INDEX, str(Path(text).resolve()) if text.startswith("/dev/") else text)
    return int(match[1]) if match else None

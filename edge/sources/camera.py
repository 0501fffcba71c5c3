"""Capture from a webcam through OpenCV, and list the cameras of this machine."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import CameraSettings
from edge.values import Image

# Seconds until a silent driver's read fails (Linux); until then its thread holds the device, which cannot be reopened.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")
INDEX = r"(?:/dev/video)?(\d{1,3})"
DEVICE_FOLDER = Path("/dev")
NAME_FOLDER = Path("/sys/class/video4linux")


class OpenCVCapture:
    """Read pictures from a cv2.VideoCapture. Raises SourceError with `message` if it is not open."""

    notice: str | None = None

    def __init__(self, capture: cv2.VideoCapture, message: str) -> None:
        if not capture.isOpened():
            capture.release()
            raise SourceError(message)
        self._capture = capture
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = self._granted_fps()

    def _granted_fps(self) -> float:
        """Return the frame rate that the driver reports, or 30 if it is implausible."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return fps if 1 <= fps <= 240 else 30.0

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None after the last one."""
        success, image = self._capture.read()
        if not success:
            return None
        return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)

    def release(self) -> None:
        """Close the device."""
        self._capture.release()


class Camera(OpenCVCapture):
    """Capture from a webcam, named by its number, /dev/videoN, or a link to that as in /dev/v4l/by-id."""

    supported_settings: tuple[str, ...] = ("resolution", "fps", "fourcc")
    may_be_still = False

    def __init__(self, text: str, settings: CameraSettings) -> None:
        index = _index(text)  # looked up at each opening: a camera that is replugged may get another number
        if index is None:
            raise SourceError(f"expected a camera at {text}, found none; is it plugged in?")
        message = f"cannot open camera {index}; cameras on this machine: {cameras()}; or try --source demo"
        super().__init__(cv2.VideoCapture(index), message)
        self.notice = self._apply(settings, index)
        self.fps = self._granted_fps()

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a webcam, connected or not."""
        return _index(text) is not None

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


def cameras() -> str:
    """List the cameras of this machine, with their names (Linux)."""
    if not sys.platform.startswith("linux"):
        return "not listed by this system, try 0 or 1"
    devices = sorted(DEVICE_FOLDER.glob("video*"), key=lambda device: (len(device.name), device.name))
    listed = ", ".join(_describe(device) for device in devices) or "none"
    has_csi = "unicam" in listed or "rp1-cfe" in listed
    return listed + (" (a Pi's CSI camera: --source picamera)" if has_csi else "")


def _describe(device: Path) -> str:
    name = NAME_FOLDER / device.name / "name"
    return f"{device} ({name.read_text().strip()})" if name.is_file() else str(device)

"""Read pictures from a cv2.VideoCapture: BGR and, of a file or stream, with square pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.frame_times import plausible_fps
from edge.values import Image

MAX_STRETCH = 4.0  # a sample aspect ratio beyond it, or below its inverse, is an error in the file
MAX_TIMESTAMP_S = 1e9  # OpenCV computes absurd ones where FFmpeg has none
MAX_FRAMES = 1e9  # likewise


class OpenCVCapture:
    """Read pictures from a cv2.VideoCapture. Raises the error that `why_not` returns if it is not open."""

    notice: str | None = None

    def __init__(self, capture: cv2.VideoCapture, why_not: Callable[[], SourceError]) -> None:
        if not capture.isOpened():
            capture.release()
            raise why_not()
        self._capture = capture
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = plausible_fps(self.announced_fps())

    def announced_fps(self) -> float:
        """Return the frame rate that the driver or the file's header announces, plausible or not."""
        return float(self._capture.get(cv2.CAP_PROP_FPS))

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None after the last one."""
        success, image = self._capture.read()
        if not success or image is None or image.size == 0:
            return None
        return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)

    def release(self) -> None:
        """Close the device or file."""
        self._capture.release()


class FFmpegCapture(OpenCVCapture):
    """Read the pictures of a file or stream, and what it says about them."""

    path: Path | None = None  # of a file on this machine

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None after the last one.

        One side is enlarged if its pixels are not square (sample aspect ratio), as every player does.
        """
        image = super().read()
        if image is None:
            return None
        ratio = self._pixel_ratio()
        height, width = image.shape[:2]
        if ratio == 1:
            return image
        size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)

    def _pixel_ratio(self) -> float:
        """Return the width of a pixel divided by its height; 1 if it is unknown or absurd."""
        get = self._capture.get
        width, height = get(cv2.CAP_PROP_SAR_NUM), get(cv2.CAP_PROP_SAR_DEN)
        if width <= 0 or height <= 0 or not 1 / MAX_STRETCH <= width / height <= MAX_STRETCH:
            return 1.0
        is_turned = get(cv2.CAP_PROP_ORIENTATION_META) % 180 != 0  # the ratio is that of the picture before
        return float(height / width if is_turned else width / height)

    def timestamp_s(self) -> float | None:
        """Return the timestamp of the last picture; None if it has none. OpenCV gives 0 for that, and for the start."""
        timestamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return timestamp_s if 0 < timestamp_s < MAX_TIMESTAMP_S else None

    def announced_frames(self) -> int:
        """Return how many frames the file announces; 0 if it announces none, as a stream."""
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        return int(count) if 0 < count < MAX_FRAMES else 0

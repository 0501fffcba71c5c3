"""Capture from a network stream through OpenCV's FFmpeg."""

from __future__ import annotations

import re

from edge.opencv import cv2
from edge.sources.base import CameraSettings
from edge.sources.camera import OpenCVCapture

URL_PATTERN = r"(rtsp|rtsps|http|https|rtmp|udp|tcp)://"
# While OpenCV opens a stream, it opens and closes no other video: a recording waits for it at the end.
OPEN_TIMEOUT_MS = 5_000
READ_TIMEOUT_MS = 3_000


class Stream(OpenCVCapture):
    """Capture from a stream, named by its URL. Raises SourceError if it cannot be opened."""

    supported_settings: tuple[str, ...] = ()
    may_be_still = True

    def __init__(self, text: str, settings: CameraSettings) -> None:
        open_timeout = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS]
        read_timeout = [cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        capture = cv2.VideoCapture(text, cv2.CAP_FFMPEG, open_timeout + read_timeout)
        super().__init__(capture, f"cannot open stream {text}; check the address and that it answers")

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text is the URL of a stream."""
        return re.match(URL_PATTERN, text) is not None

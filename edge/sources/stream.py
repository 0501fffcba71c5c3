"""Capture from a network stream through OpenCV's FFmpeg."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import CameraSettings
from edge.sources.capture import FFmpegCapture

SCHEMES = r"(rtsps?|https?|rtmps?|udp|tcp|rtp|srt)://"
# While OpenCV opens a stream, it opens and closes no other video: a recording waits for it at the end.
OPEN_TIMEOUT_MS = 5_000
READ_TIMEOUT_MS = 3_000
OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
OPTIONS = {
    "rtsp_flags": "prefer_tcp",  # UDP loses packets, at which the picture tears; `?udp` in the address asks for it
    "allowed_media_types": "video",  # a camera that announces sound and sends none would not open
    "analyzeduration": "2000000",  # microseconds: a picture comes before the timeout, not after it
}
DECODER_THREADS = 2  # each one more holds back a frame; OpenCV would take one for each core


class Stream(FFmpegCapture):
    """Capture from a stream, named by its URL. Raises SourceError if it cannot be opened."""

    supported_settings: tuple[str, ...] = ()
    may_be_still = True

    def __init__(self, text: str, settings: CameraSettings, error: Callable[[str], SourceError] | None = None) -> None:
        url, transport = split_transport(lowercase_scheme(text))
        _set_options(transport)
        parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        if not url.startswith("http") and "OPENCV_FFMPEG_THREADS" not in os.environ:
            parameters += [cv2.CAP_PROP_N_THREADS, DECODER_THREADS]
        super().__init__(cv2.VideoCapture(url, cv2.CAP_FFMPEG, parameters), lambda: (error or _stream_error)(url))

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text is the URL of a stream."""
        return re.match(SCHEMES, text, re.IGNORECASE) is not None


def _stream_error(url: str) -> SourceError:
    from edge.sources.address import stream_error  # here: HTTP takes long to import

    return stream_error(url)


def lowercase_scheme(url: str) -> str:
    """Return the URL as FFmpeg wants it: it knows no RTSP://."""
    scheme, mark, rest = url.strip().partition("://")
    return f"{scheme.lower()}{mark}{rest}"


def split_transport(url: str) -> tuple[str, str | None]:
    """Return an RTSP address without `udp` or `tcp` in its query, as older FFmpegs had it, and which one it was."""
    place, _, query = url.partition("?")
    parts = query.split("&")
    transport = next((part for part in parts if part in ("udp", "tcp")), None)
    if transport is None or not url.startswith("rtsp"):
        return url, None
    rest = "&".join(part for part in parts if part != transport)
    return (f"{place}?{rest}" if rest else place), transport


def _set_options(transport: str | None) -> None:
    """Give FFmpeg our options; those in the user's environment come later, and so win. The address's come last."""
    existing = [option for option in os.environ.get(OPTIONS_VARIABLE, "").split("|") if option]
    names = {option.partition(";")[0] for option in existing}
    ours = [f"{name};{value}" for name, value in OPTIONS.items() if name not in names]
    asked = [f"rtsp_transport;{transport}"] if transport and f"rtsp_transport;{transport}" not in existing else []
    os.environ[OPTIONS_VARIABLE] = "|".join(ours + existing + asked)

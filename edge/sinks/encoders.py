"""Encode a video so that it plays in browsers, and up to the last second if the process dies.

PyAV (the extra `record`) brings H.264 and keeps each frame's own time. Without it, OpenCV writes VP8, which takes ten
times as long, at a constant rate.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import math
import os
import shutil
from pathlib import Path
from typing import Any, Protocol

from edge.errors import MissingExtra, OutputError, UsageError
from edge.opencv import cv2
from edge.quiet import native_lines
from edge.untrusted import printable
from edge.values import Image

SUFFIXES = (".mp4", ".webm", ".mkv", ".avi")
MIN_RATE, MAX_RATE = 1.0, 120.0  # frames a second of a constant-rate file
CLOCK = 90_000  # ticks a second of a file where each frame has its own time
OPENCV_CODECS = {".avi": "MJPG"}  # the others: VP80
OPENCV_BUFFER = 1 << 18  # bytes that OpenCV keeps before it writes them
FFMPEG_CODECS = {".webm": "libvpx"}  # the others: libx264
CODEC_OPTIONS = {
    "libx264": {"preset": "superfast", "tune": "zerolatency", "crf": "20", "colorspace": "smpte170m"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "threads": "1"},  # two wait busily: 100 ms a frame
}
FILE_OPTIONS = {
    ".mp4": {"movflags": "hybrid_fragmented", "frag_duration": "500000"},  # microseconds
    ".mkv": {"cluster_time_limit": "500"},  # milliseconds
    ".webm": {"cluster_time_limit": "500"},
}


class Encoder(Protocol):
    """Write pictures, all of the size in `(path, size, fps)`, where size is width and height in pixels."""

    @property
    def seconds(self) -> float:
        """Return how many seconds are written."""
        ...

    def write(self, image: Image, time_s: float) -> None:
        """Append a picture, uint8 [height, width, 3] BGR, to be shown from `time_s` on. Raises OSError."""
        ...

    def close(self) -> None:
        """Complete the file. Raises OSError if it is not whole; it then holds `seconds`."""
        ...


def encoder_class(path: Path) -> type[PyAvEncoder] | type[OpenCvEncoder]:
    """Return the encoder for a file name that ends in one of SUFFIXES. Raises MissingExtra."""
    suffix = path.suffix.lower()
    if suffix != ".avi" and has_pyav():
        try:
            importlib.import_module("av")
        except ImportError as error:
            raise MissingExtra("PyAV", "record", f"which cannot be imported here ({error})", ["av"]) from error
        return PyAvEncoder
    if suffix == ".mp4":
        raise MissingExtra("PyAV", "record", "which is not installed, to record .mp4 (.webm works without it)")
    try:
        path.as_posix().encode()
    except UnicodeEncodeError as error:  # OpenCV would end the process
        raise UsageError(
            f"expected --record with a name in UTF-8, found {printable(str(path))}; choose another"
        ) from error
    return OpenCvEncoder


def best_suffix() -> str:
    """Return the suffix of what most players play here: H.264 if PyAV is installed, else VP8."""
    return ".mp4" if has_pyav() else ".webm"


def has_pyav() -> bool:
    """Return whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


class PyAvEncoder:
    """Encode H.264 or, for .webm, VP8 in real time, each frame at its own time.

    An .mp4 file is fragmented while it grows and becomes a plain one when closed (FFmpeg 7.1: hybrid_fragmented).
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        from fractions import Fraction  # here: few runs record, and every run would import it

        self._av: Any = importlib.import_module("av")
        self.seconds = 0.0
        self._path = path
        self._bytes = 0  # of whole packets
        self._error: OSError | None = None
        self._size = (size[0] // 2 * 2, size[1] // 2 * 2)  # colours are stored at half the resolution
        self._last = -1  # time of the last frame, in ticks
        self._duration = round(CLOCK / fps)  # of the last frame, in ticks
        suffix = path.suffix.lower()
        codec = FFMPEG_CODECS.get(suffix, "libx264")
        rate = Fraction(min(max(fps, MIN_RATE), MAX_RATE)).limit_denominator(1000)
        self._file = self._av.open(str(path), "w", options={"flush_packets": "1", **FILE_OPTIONS[suffix]})
        try:
            self._stream = self._file.add_stream(codec, rate=rate, options=CODEC_OPTIONS[codec])
        except ValueError as error:
            raise OutputError(
                f"this PyAV has no {codec}; run: pip install --force-reinstall --only-binary av av"
            ) from error
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.bit_rate = int(0.4 * size[0] * size[1] * rate)  # at most; the quality is constant
        self._time_base = Fraction(1, CLOCK)
        self._stream.codec_context.time_base = self._time_base

    def write(self, image: Image, time_s: float) -> None:
        width, height = self._size
        picture = self._av.VideoFrame.from_ndarray(image[:height, :width], format="bgr24")
        self._last = picture.pts = max(round(time_s * CLOCK), self._last + 1) if self._last >= 0 else 0
        picture.time_base = self._time_base
        self._mux(picture)

    def _mux(self, picture: Any) -> None:
        if self._error:
            raise self._error
        try:
            for packet in self._stream.encode(picture):
                packet.duration = self._duration
                self._file.mux(packet)
        except self._av.FFmpegError as error:
            self._error = OSError(error.errno, error.strerror)
            raise self._error from error
        size = self._path.stat().st_size
        if size > self._bytes:  # a fragment was written
            self._bytes, self.seconds = size, self._last / CLOCK

    def close(self) -> None:
        try:
            self._mux(None)
            self._file.close()
        except OSError:
            with contextlib.suppress(OSError):
                self._file.close()
            os.truncate(self._path, self._bytes)  # half a packet would be an error to players
            raise


class OpenCvEncoder:
    """Encode VP8 or, for .avi, Motion JPEG at a constant rate: frames are repeated or left out to keep their times."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._path = path
        self._rate = min(fps * math.ceil(MIN_RATE / fps), MAX_RATE)
        self._frames = 0
        codec = cv2.VideoWriter.fourcc(*OPENCV_CODECS.get(path.suffix.lower(), "VP80"))
        with native_lines():
            self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, self._rate, size)
        if not self._writer.isOpened():
            raise OutputError(f"this OpenCV cannot encode {path.suffix}; run: pip install '.[record]'")

    @property
    def seconds(self) -> float:
        """Return how many seconds are written."""
        return self._frames / self._rate

    def write(self, image: Image, time_s: float) -> None:
        if shutil.disk_usage(self._path.parent).free < 2 * OPENCV_BUFFER:  # OpenCV would report nothing
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        while self._frames <= round(time_s * self._rate):
            self._writer.write(image)
            self._frames += 1

    def close(self) -> None:
        self._writer.release()
        video = cv2.VideoCapture(str(self._path))  # read it back, since OpenCV reports nothing
        announced = video.get(cv2.CAP_PROP_FRAME_COUNT)
        plays = video.read()[0]
        video.release()
        if announced < self._frames - 1 or not plays:
            self._frames *= plays
            raise OSError(errno.EIO, "the file is not whole; is the disk full?")

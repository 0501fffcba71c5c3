"""Read a video: a file, an animation, or a file at an address."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from edge.errors import SourceError
from edge.files import native_name
from edge.opencv import cv2
from edge.sources.base import Source
from edge.sources.capture import FFmpegCapture
from edge.sources.frame_times import FrameTimes, plausible_fps
from edge.untrusted import printable
from edge.values import Frame, Image

MAX_FIRST_FRAMES = 8  # read ahead, to measure the frame rate
MAX_FIRST_BYTES = 32_000_000


class Video(Source):
    """Read every frame of a video, each at the time that the file gives it. Raises SourceError if it has none.

    `capture` is a capture of it that is open already.
    """

    def __init__(self, text: str, capture: FFmpegCapture | None = None) -> None:
        super().__init__(text)
        self._path = None if capture else Path(text)
        self._capture = capture or _open(text)
        self._first = deque(self._read_first())
        if not self._first:
            self._capture.release()
            raise _undecodable(text)
        timestamps_s = [timestamp_s for _, timestamp_s in self._first]
        self.fps = plausible_fps(self._capture.announced_fps(), [timestamps_s[0] or 0.0, *timestamps_s[1:]])

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names a file."""
        return Path(text).is_file()

    def _read_first(self) -> Iterator[tuple[Image, float | None]]:
        """Yield the first frames with their timestamps, within the limits of memory."""
        total = 0
        for _ in range(MAX_FIRST_FRAMES):
            image = self._capture.read()
            if image is None:
                return
            yield image, self._capture.timestamp_s()
            total += image.nbytes
            if total >= MAX_FIRST_BYTES:
                return

    def read_frames(self) -> Iterator[Frame]:
        """Yield the frames; report on stderr if their times are estimated, or if the file ends early."""
        times = FrameTimes(self.fps)
        count = 0
        time_s = 0.0
        while (read := self._read()) is not None:
            image, timestamp_s = read
            time_s = times.next(timestamp_s)
            if times.estimated == 2:  # the last frame of a sound file may lack one
                self._report(f"has frames without a timestamp that advances; times are counted at {self.fps:g} FPS")
            yield Frame(count, time_s, time.monotonic(), image)
            count += 1
        self._check_end(count, time_s)

    def _read(self) -> tuple[Image, float | None] | None:
        if self._first:
            return self._first.popleft()
        image = self._capture.read()
        return None if image is None else (image, self._capture.timestamp_s())

    def _check_end(self, count: int, last_s: float) -> None:
        """Report a damaged file. Some containers give their length alone, from which OpenCV estimates the count."""
        announced = self._capture.announced_frames()
        announced_s = announced / (self._capture.announced_fps() or self.fps)
        ends_early = announced > 1.05 * count + 2 and announced_s > 1.05 * last_s + 2 / self.fps
        if ends_early and not _is_whole_matroska(self._path):
            self._report(f"gave {count} of the {announced} frames it announces")

    def _report(self, message: str) -> None:
        print(printable(f"{self.name} {message}"), file=sys.stderr)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def _open(text: str) -> FFmpegCapture:
    """Open a file. Raises SourceError."""
    with native_name(Path(text)) as name:
        return FFmpegCapture(cv2.VideoCapture(name), lambda: _undecodable(text))


def _undecodable(text: str) -> SourceError:
    return SourceError(f"expected a video or a picture, cannot decode {text}; check the file")


def _is_whole_matroska(path: Path | None) -> bool:
    """Return whether this is a Matroska or WebM file that has every byte it announces.

    Its length is that of its sound as well, or begins before its first frame: it does not tell how many frames there
    are. Format: RFC 9559; a size is preceded by as many zero bits as it has bytes after the first (RFC 8794).
    """
    if path is None:
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    start = head.find(b"\x18\x53\x80\x67") + 4  # the segment, which holds everything
    if not head.startswith(b"\x1a\x45\xdf\xa3") or start < 4 or start >= len(head) or not head[start]:
        return False
    length = 9 - head[start].bit_length()
    size = int.from_bytes(head[start : start + length], "big") & ((1 << 7 * length) - 1)
    is_open_ended = size == (1 << 7 * length) - 1
    return is_open_ended or start + length + size <= path.stat().st_size

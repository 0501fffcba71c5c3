"""Read a video: a file, an animation, or a file at an address."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from edge.errors import SourceError
from edge.files import native_name
from edge.opencv import cv2
from edge.sources.base import Source
from edge.sources.capture import FFmpegCapture
from edge.sources.container import most_frames
from edge.sources.frame_times import FrameTimes, plausible_fps
from edge.untrusted import printable
from edge.values import Frame, Image

MAX_FIRST_FRAMES = 8  # read ahead, to measure the frame rate
MAX_FIRST_BYTES = 32_000_000
CLOSE_TIMEOUT_S = 0.5


class Video(Source):
    """Read every frame of a video, each at the time that the file gives it. Raises SourceError if it has none.

    `capture` is a capture of it that is open already.
    """

    def __init__(self, text: str, capture: FFmpegCapture | None = None) -> None:
        super().__init__(text)
        self._capture = capture or _open(text)
        self._reading = threading.Lock()
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
        while (read := self._read()) is not None:
            image, timestamp_s = read
            time_s = times.next(timestamp_s)
            if times.estimated == 2:  # the last frame of a sound file may lack one
                self._report(f"has frames without a timestamp that advances; times are counted at {self.fps:g} FPS")
            yield Frame(count, time_s, time.monotonic(), image)
            count += 1
        self._check_end(count)

    def _read(self) -> tuple[Image, float | None] | None:
        if self._first:
            return self._first.popleft()
        with self._reading:
            image = self._capture.read()
            return None if image is None else (image, self._capture.timestamp_s())

    def _check_end(self, count: int) -> None:
        """Report a file that has fewer frames than it announces: it is cut or damaged."""
        fps = self._capture.announced_fps() or self.fps
        announced = self._capture.announced_frames()  # some containers give their length alone: it is an estimate
        if self._capture.path:
            announced = int(min(announced, most_frames(self._capture.path, fps)))
        if announced > 1.05 * count + 2:
            self._report(f"gave {count} of the {announced} frames it announces")

    def _report(self, message: str) -> None:
        print(printable(f"{self.name} {message}"), file=sys.stderr)

    def close(self) -> None:
        """Close the file, unless a thread is stuck in reading it: OpenCV would crash."""
        if self._reading.acquire(timeout=CLOSE_TIMEOUT_S):
            self._capture.release()
            self._reading.release()


def _open(text: str) -> FFmpegCapture:
    """Open a file. Raises SourceError."""
    with native_name(Path(text)) as name:
        capture = FFmpegCapture(cv2.VideoCapture(name), lambda: _undecodable(text))
    capture.path = Path(text)
    return capture


def _undecodable(text: str) -> SourceError:
    return SourceError(f"expected a video or a picture, cannot decode {text}; check the file")

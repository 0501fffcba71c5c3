"""Capture from a network camera that sends Motion JPEG over HTTP; leave other HTTP streams to FFmpeg.

FFmpeg would collect a picture without a limit to its size, and hold pictures back while it guesses the format.
"""

from __future__ import annotations

import re
import select
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.errors import SourceError
from edge.picture import decode_picture
from edge.sources.base import CameraSettings, Capture
from edge.sources.capture import FFmpegCapture
from edge.sources.stream import Stream
from edge.values import Image

if TYPE_CHECKING:
    import http.client

PICTURE_TIMEOUT_S = 3.0  # for one sound picture, however slowly its bytes come
SNAPSHOT_INTERVAL_S = 0.1  # from a snapshot to the next request
BACKLOG = 1 << 20  # bytes that are looked through at once for the newest picture; at least two pictures
MAX_HEAD = 1 << 16  # bytes between two pictures
MAX_PICTURE = 1 << 26  # bytes: a JPEG of 100 million pixels has about half
MAX_END = 256  # bytes of what ends a head or a part
CHUNK = 1 << 16  # bytes
MULTIPART = "multipart/x-mixed-replace"
HEAD_END = re.compile(rb"\r?\n\r?\n")


class HttpStream:
    """Capture from an HTTP stream, named by its URL. Raises SourceError if it cannot be opened."""

    supported_settings: tuple[str, ...] = ()
    may_be_still = True

    def __init__(self, text: str, settings: CameraSettings) -> None:
        from edge.sources.address import is_file, request, stream_error  # here: HTTP takes long to import
        from edge.sources.web_file import open_web_file

        response = request(text)
        boundary = response.headers.get_param("boundary") if response else None
        self.file: FFmpegCapture | None = None  # to be read as a recording, in place of this stream
        if response is None:
            self._capture: Capture = Stream(text, settings)
        elif boundary and response.headers.get_content_type() == MULTIPART:
            self._capture = MotionJpeg(response, str(boundary), _host(text))
        elif is_file(response):
            self._capture = self.file = open_web_file(text, response, settings)
        elif response.headers.get_content_maintype() == "image":
            self._capture = Snapshot(response, text)
        else:
            response.close()
            stream = Stream(text, settings, lambda url: stream_error(url, response.headers))
            self.file = stream if stream.announced_frames() else None  # as a playlist that has an end
            self._capture = stream
        self.fps = self._capture.fps
        self.notice = self._capture.notice

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text is the URL of an HTTP stream."""
        return re.match("https?://", text, re.IGNORECASE) is not None

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None after the last one."""
        return self._capture.read()

    def release(self) -> None:
        """Close the connection."""
        self._capture.release()


class MotionJpeg:
    """Read the pictures of a multipart answer; a damaged one is passed over, unless no sound one comes in time."""

    fps = 30.0  # nominal: the stream does not tell
    notice: str | None = None

    def __init__(self, response: http.client.HTTPResponse, boundary: str, host: str) -> None:
        self._response = response
        name = boundary.strip('"').lstrip("-")  # some cameras write the dashes here as well
        self._part_end = re.compile(rb"(\r?\n)?--+" + re.escape(name.encode("latin-1", "replace")))
        self._host = host
        self._buffer = bytearray()
        self._deadline_s = 0.0
        self._waits = True  # for more bytes, if a part is not whole

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None if the answer has ended.

        Raises SourceError if no sound picture comes in time, or one is too large; OSError if the connection breaks.
        """
        self._deadline_s = time.monotonic() + PICTURE_TIMEOUT_S
        problem = SourceError(f"{self._host} sent no whole picture for {PICTURE_TIMEOUT_S:.0f} s; check the camera")
        try:
            while (data := self._read_newest()) is not None:
                try:
                    return decode_picture(data, f"a picture of {self._host}")
                except SourceError as error:
                    problem = error
        except TimeoutError:
            raise problem from None
        return None

    def release(self) -> None:
        """Close the connection."""
        self._response.close()

    def _read_newest(self) -> bytes | None:
        """Return the newest part that has come whole: a machine too slow to decode them all must not fall behind."""
        data = self._read_part()
        if data is None:
            return None
        backlog = max(BACKLOG, 2 * len(data))
        while len(self._buffer) < backlog and self._has_received() and self._receive(backlog):
            pass
        self._waits = False
        while True:
            rest = bytes(self._buffer)
            newer = self._read_part()
            if newer is None:
                self._buffer[:] = rest
                break
            data = newer
        self._waits = True
        return data

    def _has_received(self) -> bool:
        """Return whether more bytes wait at the socket."""
        if self._response.isclosed():
            return False
        try:
            return bool(select.select([self._response.fileno()], [], [], 0)[0])
        except ValueError:  # a descriptor that select does not take
            return False

    def _read_part(self) -> bytes | None:
        """Return what the next part holds; None if the answer ends before it does."""
        head = self._take_before(HEAD_END, MAX_HEAD)
        if head is None:
            return None
        length = re.search(rb"^content-length:[ \t]*(\d{1,12})", head, re.IGNORECASE | re.MULTILINE)
        return self._take(int(length[1])) if length else self._take_before(self._part_end, MAX_PICTURE)

    def _take_before(self, end: re.Pattern[bytes], limit: int) -> bytes | None:
        """Take the bytes up to the next match, which is dropped."""
        start = 0
        while not (match := end.search(self._buffer, start)):
            start = max(0, len(self._buffer) - MAX_END)
            if not self._receive(limit):
                return None
        return self._cut(match.start(), match.end())

    def _take(self, length: int) -> bytes | None:
        if length > MAX_PICTURE:
            raise self._too_large()
        while len(self._buffer) < length:
            if not self._receive(MAX_PICTURE):
                return None
        return self._cut(length, length)

    def _cut(self, length: int, end: int) -> bytes:
        """Return the first bytes of the buffer, and drop those before `end`."""
        taken = bytes(self._buffer[:length])
        del self._buffer[:end]
        return taken

    def _receive(self, limit: int) -> bool:
        """Wait for more bytes; return False at the end of the answer. Raises SourceError and TimeoutError."""
        if not self._waits:
            return False
        if len(self._buffer) > limit:
            raise self._too_large()
        if time.monotonic() >= self._deadline_s:
            raise TimeoutError
        received = self._response.read1(CHUNK)
        self._buffer += received
        return bool(received)

    def _too_large(self) -> SourceError:
        return SourceError(f"expected pictures of at most {MAX_PICTURE >> 20} MB from {self._host}, found a larger one")


class Snapshot(MotionJpeg):
    """Read an answer that is one picture, and ask the camera for the next one each time."""

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        super().__init__(response, "", _host(url))
        self._url = url

    def _read_newest(self) -> bytes | None:
        """Return the picture of this answer or, once it has been taken, of the next one. Raises SourceError."""
        from edge.sources.address import request

        while time.monotonic() < self._deadline_s:
            if self._response.isclosed():
                time.sleep(SNAPSHOT_INTERVAL_S)
                response = request(self._url)
                if response is None:
                    return None
                self._response = response
            if data := self._read_part():
                return data
        raise TimeoutError

    def _read_part(self) -> bytes | None:
        while self._receive(MAX_PICTURE):
            pass
        return self._cut(len(self._buffer), len(self._buffer)) or None


def _host(url: str) -> str:
    """Return the host and port of a URL: the rest may hold a password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2]

"""Open a video file behind an address, so that every frame is read once."""

from __future__ import annotations

import http.client
import shutil
import tempfile
from pathlib import Path

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.address import stream_error
from edge.sources.base import CameraSettings
from edge.sources.capture import FFmpegCapture
from edge.sources.stream import Stream

SPARE_BYTES = 100_000_000  # left free on the disk


def open_web_file(url: str, response: http.client.HTTPResponse, settings: CameraSettings) -> FFmpegCapture:
    """Open the file that a server has answered with. Raises SourceError.

    A server that can send parts of it leaves FFmpeg free to read here and there, as many MP4 files need it. From
    another one, the file is fetched first.
    """
    if response.headers.get("Accept-Ranges", "none").lower() != "none":
        response.close()
        return Stream(url, settings, lambda _: stream_error(url, response.headers))
    return FetchedFile(url, response)


class FetchedFile(FFmpegCapture):
    """Read a file that is fetched into a temporary folder. Raises SourceError."""

    def __init__(self, url: str, response: http.client.HTTPResponse) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        try:
            self.path = Path(self._folder.name) / "video"
            _fetch(url, response, self.path)
            super().__init__(cv2.VideoCapture(str(self.path)), lambda: stream_error(url, response.headers))
        except BaseException:  # Ctrl-C as well
            self._folder.cleanup()
            raise

    def release(self) -> None:
        """Close the file and delete it."""
        super().release()
        self._folder.cleanup()


def _fetch(url: str, response: http.client.HTTPResponse, path: Path) -> None:
    """Write the body of an answer to a file. Raises SourceError if it does not fit, or ends early."""
    length = response.length or 0
    try:
        if length > shutil.disk_usage(path.parent).free - SPARE_BYTES:
            raise SourceError(f"expected {length / 1e6:,.0f} MB free in {path.parent} for {url}, found less; free some")
        with response, path.open("wb") as file:
            shutil.copyfileobj(response, file)
        if path.stat().st_size < length:
            raise SourceError(f"{url} ended after {path.stat().st_size} of {length} bytes; try again")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot fetch {url}: {reason}; try again") from error

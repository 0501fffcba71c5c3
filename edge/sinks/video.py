"""Record annotated frames as a video."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import OutputError, UsageError
from edge.opencv import cv2
from edge.sinks.base import Sink, SinkContext
from edge.values import Frame, Reading

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}  # suffix -> FourCC


class VideoFile(Sink):
    """Record a video that plays in real time: frames are repeated or skipped where the loop was slower or faster.

    The video is written to a temporary file and renamed when closed, so the file is always complete. After an error it
    holds the frames up to that error.
    """

    needs_picture = True

    def __init__(self, target: str, context: SinkContext) -> None:
        path = Path(target)
        if path.suffix.lower() not in CODECS:
            raise UsageError(f"expected --record with a name ending in {' '.join(CODECS)}, found {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: no such folder, or a folder itself; choose another place")
        self.name = str(path)
        self._path = path
        self._tmp = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        self._fps = context.fps
        self._writer: cv2.VideoWriter | None = None
        self._frames_written = 0
        self._size = (0, 0)  # width, height

    def __enter__(self) -> VideoFile:
        try:
            self._tmp.touch()
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; choose another place") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        image = frame.image
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._open_writer()
        if (image.shape[1], image.shape[0]) != self._size:  # a stream that changed its resolution
            image = cv2.resize(image, self._size)
        while self._frames_written <= round(frame.time_s * self._fps):
            self._writer.write(image)
            self._frames_written += 1

    def _open_writer(self) -> cv2.VideoWriter:
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        writer = cv2.VideoWriter(str(self._tmp), codec, self._fps, self._size)
        if not writer.isOpened():
            raise OutputError(f"this OpenCV cannot encode {self._path.suffix}; try a name ending in .avi")
        return writer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.release()
        complete = self._is_complete()
        if complete:
            self._tmp.replace(self._path)
        self._tmp.unlink(missing_ok=True)
        if self._frames_written and not complete and kind is None:
            raise OutputError(f"cannot write {self._path}: the recording is damaged; is the disk full?")

    def _is_complete(self) -> bool:
        """Read the file back: OpenCV's writer never reports that a write failed."""
        if not self._frames_written:
            return False
        video = cv2.VideoCapture(str(self._tmp))
        complete = video.isOpened() and video.get(cv2.CAP_PROP_FRAME_COUNT) >= self._frames_written and video.read()[0]
        video.release()
        return bool(complete)

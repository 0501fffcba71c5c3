"""An annotated recording: a video, or a folder of pictures where the source is pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import OutputError, UsageError
from edge.files import atomic_write
from edge.opencv import cv2
from edge.values import Frame, Reading

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}


class VideoFile:
    """Plays at the speed of life: a frame is repeated or left out where the loop was slower or faster than `fps`.

    Written beside and renamed when closed, so a file of that name is always a whole one; what was recorded until an
    error is kept.
    """

    wants_picture = True

    def __init__(self, path: Path, fps: float) -> None:
        if path.suffix.lower() not in CODECS:
            raise UsageError(f"expected --record with a name ending in {' '.join(CODECS)}, found {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: no such folder, or a folder itself; choose another place")
        self.name = str(path)
        self._path, self._fps = path, fps
        self._beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        self._writer: cv2.VideoWriter | None = None
        self._written = 0
        self._size = (0, 0)

    def __enter__(self) -> VideoFile:
        try:
            self._beside.touch()
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}; choose another place") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._writer is None:
            self._size = (frame.image.shape[1], frame.image.shape[0])
            codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._beside), codec, self._fps, self._size)
            if not self._writer.isOpened():
                raise OutputError(f"this OpenCV cannot encode {self._path.suffix}; try a name ending in .avi")
        image = frame.image
        if (image.shape[1], image.shape[0]) != self._size:  # a stream that changed its size
            image = cv2.resize(image, self._size)
        while self._written <= round(frame.time_s * self._fps):
            self._writer.write(image)
            self._written += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.release()
        whole = self._is_whole()
        if whole:
            self._beside.replace(self._path)
        self._beside.unlink(missing_ok=True)
        if self._written and not whole and kind is None:
            raise OutputError(f"cannot write {self._path}: the recording came out damaged; is the disk full?")

    def _is_whole(self) -> bool:
        """OpenCV's writer never says that a write failed; a file that it cannot read again did."""
        if not self._written:
            return False
        again = cv2.VideoCapture(str(self._beside))
        whole = again.isOpened() and again.get(cv2.CAP_PROP_FRAME_COUNT) >= self._written and again.read()[0]
        again.release()
        return bool(whole)


class PictureFolder:
    """One annotated picture a source picture, under the same name."""

    wants_picture = True

    def __init__(self, folder: Path) -> None:
        if folder.suffix.lower() in CODECS:
            raise UsageError(f"expected a folder for --record, since the source is pictures, found {folder}")
        self.name = str(folder)
        self._folder = folder

    def __enter__(self) -> PictureFolder:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write to {self._folder}: {error.strerror}; choose another folder") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        path = self._folder / (frame.name or f"{frame.index}.png")
        _, data = cv2.imencode(path.suffix, frame.image)
        with atomic_write(path) as tmp:
            tmp.write_bytes(data.tobytes())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

"""Record annotated frames as a video."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import OutputError, UsageError
from edge.opencv import cv2
from edge.sinks.base import Sink, SinkContext
from edge.sinks.encoders import SUFFIXES, Encoder, encoder_class
from edge.sinks.unfinished import Unfinished, abandoned
from edge.untrusted import printable
from edge.values import Frame, Reading


class VideoFile(Sink):
    """Record a video that keeps the times of its frames.

    It grows under a hidden temporary name and is renamed when closed. After an error it holds the frames up to that
    error; a process that dies leaves the temporary file, which plays, and the next recording in that folder names it.
    """

    needs_picture = True

    def __init__(self, target: str, context: SinkContext) -> None:
        path = Path(target)
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"expected --record with a name ending in {' '.join(SUFFIXES)}, found {path}")
        if path.is_dir() or not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: no such folder, or a folder itself; choose another place")
        self.name = str(path)
        self._path = path.resolve()  # replace the file that a link points to, not the link
        self._new_encoder: Callable[[Path, tuple[int, int], float], Encoder] = encoder_class(path)
        self._fps = context.fps
        self._encoder: Encoder | None = None
        self._size = (0, 0)  # width, height

    def __enter__(self) -> VideoFile:
        try:
            for leftover in abandoned(self._path.parent, SUFFIXES):
                name = printable(str(leftover))
                print(f"found {name}, a recording that was cut off; rename it to keep it", file=sys.stderr)
            self._file = Unfinished(self._path)
        except OSError as error:
            raise self._failure(error) from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        image = frame.image
        try:
            if self._encoder is None:
                if frame.error:  # a camera that is waited for: neither size nor time are known
                    return
                self._start_s = frame.time_s
                self._size = (image.shape[1], image.shape[0])
                self._encoder = self._new_encoder(self._file.path, self._size, self._fps)
            if (image.shape[1], image.shape[0]) != self._size:  # a stream that changed its resolution
                image = cv2.resize(image, self._size)
            self._encoder.write(image, frame.time_s - self._start_s)
        except OSError as error:
            raise self._failure(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._encoder is not None:
                self._encoder.close()
                self._file.publish()
        except OSError as problem:
            if self._encoder is not None and self._encoder.seconds:
                self._file.publish()
            if kind is None:
                raise self._failure(problem) from problem
        finally:
            self._file.discard()

    def _failure(self, error: OSError) -> OutputError:
        seconds = self._encoder.seconds if self._encoder else 0.0
        kept = f"about {seconds:.1f} s are kept" if seconds else "choose another place"
        return OutputError(f"cannot write {self.name}: {error.strerror or error}; {kept}")

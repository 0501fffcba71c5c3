"""Define the protocols of a source of frames and of a live device."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from edge.errors import EmotionError
from edge.redaction import redacted
from edge.stopping import Stop
from edge.untrusted import printable
from edge.values import Frame, Image


@dataclass(frozen=True)
class CameraSettings:
    """Request settings of a camera; None leaves one to the driver. Drivers grant what they can, without an error."""

    resolution: tuple[int, int] | None = None  # width, height in pixels
    fps: float | None = None
    fourcc: str | None = None  # pixel format; most webcams give more than 640x480 at 30 FPS only as MJPG

    def requested(self) -> list[str]:
        """Return the names of the settings that are not left to the driver."""
        return [name for name, value in vars(self).items() if value is not None]


class Capture(Protocol):
    """Read pictures from an open device, all from one thread."""

    fps: float
    notice: str | None  # for the user, as a resolution that differs from the requested one

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR; None after the last one."""
        ...

    def release(self) -> None:
        """Close the device."""
        ...


class Device(Capture, Protocol):
    """Open a device by the text that the user gave as source."""

    supported_settings: tuple[str, ...]  # names of CameraSettings
    may_be_still: bool  # whether it may rightly show the same picture for long, as a shared screen does

    def __init__(self, text: str, settings: CameraSettings) -> None:
        """Raise SourceError if the device cannot be opened."""
        ...

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names such a device, connected or not."""
        ...


class Source:
    """Iterate over frames. Live overrides `__iter__`.

    Recordings implement `accepts`, `__init__(text)` and `images`; `read_frames`, if their frames have their own times.
    """

    live = False
    independent = False  # pictures that have nothing to do with each other
    fps = 30.0  # of the recording; nominal for live sources
    dropped = 0  # frames replaced by a newer one before the loop was ready for them
    skipped = 0  # pictures that could not be read or recorded
    notice: str | None = None  # for the user, as a resolution that differs from the requested one
    files: Sequence[Path] = ()  # of pictures
    folder: Path | None = None  # of pictures: the folder that their names are relative to
    idle: Callable[[], object] | None = None  # called about ten times a second while a live source waits for a frame

    def __init__(self, name: str) -> None:
        self.name = redacted(name)
        self.stop = Stop()  # ends the frames; may be set from any thread or signal handler

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names such a recording."""
        raise NotImplementedError

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Yield each picture, uint8 [height, width, 3] BGR, with its file name if it has one."""
        raise NotImplementedError

    def read_frames(self) -> Iterator[Frame]:
        """Yield each picture with its time."""
        for index, (image, name) in enumerate(self.images()):
            yield Frame(index, index / self.fps, time.monotonic(), image, name)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.read_frames():
            if self.stop.is_set():
                return
            yield frame

    def skip(self, error: EmotionError) -> None:
        """Report on stderr why a picture is passed over, and count it; may be called from any thread."""
        sys.stderr.write(printable(f"skipped: {error}") + "\n")  # print() would write the line's end apart
        self.skipped += 1

    def stats(self) -> dict[str, Any]:
        """Return the source's values for --stats."""
        return {"dropped": self.dropped, "skipped": self.skipped}

    def close(self) -> None:
        """Release devices and files; may be called twice."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

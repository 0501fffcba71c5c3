"""What every source of frames is: an iterable of Frame that must be closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.values import Frame, Image


class Source:
    """Frames, and what is known about them. Subclasses give `images`; live ones override `__iter__`."""

    live = False
    independent = False  # pictures that have nothing to do with each other
    fps = 30.0  # of the recording; nominal for live sources
    dropped = 0  # frames that came while the loop was busy with another
    skipped = 0  # pictures that could not be read
    notice: str | None = None  # what a person should know, as a camera that gives another resolution than asked for
    folder: Path | None = None  # of pictures: the folder that their names are relative to
    idle: Callable[[], object] | None = None  # called some ten times a second while a live source waits for a frame

    def __init__(self, name: str) -> None:
        self.name = name
        self.stop = threading.Event()  # set it, from any thread or signal handler, to end the frames

    def __iter__(self) -> Iterator[Frame]:
        for index, (image, name) in enumerate(self.images()):
            if self.stop.is_set():
                return
            yield Frame(index, index / self.fps, time.monotonic(), image, name)

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Each picture, uint8 [height, width, 3] BGR, and its name where it has one."""
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        """What the source can tell of the run, for --stats."""
        return {"dropped": self.dropped, "skipped": self.skipped}

    def close(self) -> None:
        """Let go of devices and files; may be called twice."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

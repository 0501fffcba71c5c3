"""Play a recording like a camera."""

from __future__ import annotations

import time

from edge.sources.base import Source
from edge.values import Image


class Playback:
    """Capture from a recording: each frame comes at its own time, whether or not the loop is ready for it."""

    def __init__(self, source: Source) -> None:
        self.fps = source.fps
        self.notice = source.notice
        self._source = source
        self._frames = source.read_frames()
        self._start_s = time.monotonic()

    def read(self) -> Image | None:
        """Wait until the next frame is due and return it, uint8 [height, width, 3] BGR; None after the last one."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        time.sleep(max(0.0, self._start_s + frame.time_s - time.monotonic()))
        return frame.image

    def release(self) -> None:
        """Close the recording."""
        self._source.close()

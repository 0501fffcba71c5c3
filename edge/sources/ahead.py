"""Read a recording ahead, so that decoding overlaps with what is done with the frames before."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType

from edge.stopping import POLL_S, Stop
from edge.values import Frame

MAX_FRAMES = 4
MAX_BYTES = 32_000_000  # of their pictures: five of 1080p, one of 4K
END_TIMEOUT_S = 0.5  # for the thread to finish the picture that it is decoding


class ReadAhead:
    """Iterate over the same frames in the same order; while the context lasts, a thread reads them ahead.

    What reading raises is raised after the frames before it. A run that is asked to stop gets no more frames.
    """

    def __init__(self, frames: Iterable[Frame], stop: Stop) -> None:
        self._frames = frames
        self._stop = stop
        self._queue: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            for frame in self._frames:
                with self._changed:
                    self._queue.append(frame)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._closing or not self._is_full())
                    if self._closing:
                        return
        except Exception as error:  # raised again in the loop's thread
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _is_full(self) -> bool:
        return len(self._queue) >= MAX_FRAMES or sum(frame.image.nbytes for frame in self._queue) >= MAX_BYTES

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._next()) is not None:
            yield replace(frame, captured_s=time.monotonic())  # its age begins where its reading begins
        if self._error and not self._stop.is_set():
            raise self._error

    def _next(self) -> Frame | None:
        """Wait for a frame; return None at the end."""
        with self._changed:
            while not self._queue and not self._ended and not self._stop.is_set():
                self._changed.wait(POLL_S)  # a signal handler may set `stop`, but must not notify a condition
            if not self._queue or self._stop.is_set():
                return None
            frame = self._queue.popleft()
            self._changed.notify_all()
            return frame

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(END_TIMEOUT_S)

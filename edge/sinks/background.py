"""Run a sink in its own thread, so that a slow disk, pipe or encoder does not slow the loop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

import numpy as np

from edge.errors import OutputError
from edge.sinks.base import Delivery, Sink
from edge.stopping import POLL_S, Stop
from edge.values import Frame, Reading

MAX_QUEUED_PICTURES = 8
MAX_QUEUED_BYTES = 200_000_000  # eight frames of 4K; a photograph may have 300 MB
MAX_QUEUED_READINGS = 256  # frames without their pictures
CLOSE_TIMEOUT_S = 5.0  # for the sink of a live source to write its queue at the end
LAST_FRAME_S = 0.3  # after that, for a sink to finish the frame that it is writing
NO_PICTURE = np.zeros((0, 0, 3), dtype=np.uint8)


class Background(Sink):
    """Write to a sink through a bounded queue.

    When the queue is full: a sink of the newest frame loses the older one; a sink of every frame loses the oldest if
    the source is live, which is counted; otherwise the loop waits, but not beyond the grace of a run that was asked to
    stop. An error in the thread is raised by the next write, or at the end.
    """

    def __init__(self, sink: Sink, live: bool, stop: Stop | None = None) -> None:
        self.name = sink.name
        self.needs_picture = sink.needs_picture
        self.delivery = sink.delivery
        self.is_watched = sink.is_watched
        self.dropped = 0
        self._sink = sink
        self._stop = stop or Stop()
        self._newest_only = sink.delivery is Delivery.NEWEST
        self._drops_oldest = live or self._newest_only
        self._capacity = _capacity(sink)
        self._queue: deque[tuple[Frame, Sequence[Reading]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)

    def __enter__(self) -> Background:
        self._sink.__enter__()
        self._thread.start()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if not self.needs_picture:
            frame = replace(frame, image=NO_PICTURE)  # 256 pictures would take much memory
        with self._changed:
            while self._drops_oldest and self._is_full():
                self._queue.popleft()
                self.dropped += not self._newest_only
            while self._is_full() and not self._error:
                if self._stop.grace_is_over():
                    self.dropped += 1
                    return
                self._changed.wait(POLL_S)  # a signal handler may set `stop`, but must not notify a condition
            if self._error:
                raise self._error
            self._queue.append((frame, readings))
            self._changed.notify_all()

    def _is_full(self) -> bool:
        waiting = sum(frame.image.nbytes for frame, _ in self._queue)
        return len(self._queue) >= self._capacity or waiting >= MAX_QUEUED_BYTES

    def _run(self) -> None:
        try:
            while item := self._next():
                self._sink.write(*item)
        except Exception as error:  # raised again in the loop's thread
            with self._changed:
                self._error = error
                self.dropped += 1 + len(self._queue)
                self._changed.notify_all()

    def _next(self) -> tuple[Frame, Sequence[Reading]] | None:
        """Wait for a frame; return None when the queue is empty and closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing)
            if not self._queue:
                return None
            item = self._queue.popleft()
            self._changed.notify_all()
            return item

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        self._wait(CLOSE_TIMEOUT_S if self._drops_oldest or interrupted else float("inf"))
        if self._thread.is_alive():
            self._drop_queue()
        if self._thread.is_alive():
            if kind is None:
                raise OutputError(f"{self.name} does not respond: {self.dropped + 1} frames are not written")
            return
        self._sink.__exit__(kind, error, at)
        if kind is None and self._error:
            raise self._error

    def _wait(self, timeout_s: float) -> None:
        """Wait until the sink has written its queue, the timeout passes, or the grace of a stopped run is over."""
        deadline_s = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline_s and not self._stop.grace_is_over():
            self._thread.join(POLL_S)

    def _drop_queue(self) -> None:
        """Leave the sink the frame that it is writing, and drop those that wait."""
        with self._changed:
            self.dropped += len(self._queue)
            self._queue.clear()
        self._thread.join(LAST_FRAME_S)


def _capacity(sink: Sink) -> int:
    """Return how many frames may wait for a sink."""
    if sink.delivery is Delivery.NEWEST:
        return 1
    return MAX_QUEUED_PICTURES if sink.needs_picture else MAX_QUEUED_READINGS

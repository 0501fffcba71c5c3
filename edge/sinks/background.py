"""An output in a thread of its own, so that a slow disk, pipe or encoder does not slow the loop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

import numpy as np

from edge.errors import OutputError
from edge.sinks.base import Sink
from edge.values import Frame, Reading

PICTURES, LINES = 8, 256  # how many frames may wait, with their pictures and without
CLOSE_S = 5.0  # what a live output has at the end to write what waits
NO_PICTURE = np.zeros((0, 0, 3), dtype=np.uint8)


class Background:
    """Any sink but the window, behind a bounded queue.

    `live`: where the queue is full, the oldest frame in it is dropped and counted; else the loop waits, and nothing is
    lost. What goes wrong in the thread is raised by the next write, or at the end.
    """

    def __init__(self, sink: Sink, live: bool) -> None:
        self.wants_picture, self.name = sink.wants_picture, sink.name
        self.dropped = 0
        self._sink, self._live = sink, live
        self._most = PICTURES if sink.wants_picture else LINES
        self._waiting: deque[tuple[Frame, Sequence[Reading]]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"output {self.name}", daemon=True)

    def __enter__(self) -> Background:
        self._sink.__enter__()
        self._thread.start()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if not self.wants_picture:
            frame = replace(frame, image=NO_PICTURE)  # 256 pictures would be much memory
        with self._changed:
            if self._live and len(self._waiting) == self._most:
                self._waiting.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: len(self._waiting) < self._most or self._error)
            if self._error:
                raise self._error
            self._waiting.append((frame, readings))
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._closing)
                    if not self._waiting:
                        return
                    frame, readings = self._waiting.popleft()
                    self._changed.notify_all()
                self._sink.write(frame, readings)
        except Exception as error:  # handed to the loop
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        hurried = self._live or (kind is not None and issubclass(kind, KeyboardInterrupt))
        self._thread.join(CLOSE_S if hurried else None)
        if self._thread.is_alive():
            if kind is None:
                raise OutputError(f"{self.name} takes no more: {len(self._waiting) + 1} frames are not written")
            return
        self._sink.__exit__(kind, error, at)
        if kind is None and self._error:
            raise self._error

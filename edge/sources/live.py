"""A live source: the newest frame wins, and a camera that is lost is noticed, reported and reopened.

Reading happens in a thread, since a dead driver may block for ever; such a thread is left behind, never waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge.errors import SourceError
from edge.sources.base import Source
from edge.sources.capture import Capture
from edge.sources.health import Health
from edge.values import Frame, Image

FIRST_S = 15.0  # a camera that was never there: no picture for this long after the start
NOTICE_S = 0.5  # between two frames that tell of it
BACKOFF_S = (0.5, 8.0)  # before the first reopening and, doubling, at most
PATIENCE_S = 5.0  # what a reopened camera has for its first new picture before it is reopened again
POLL_S = 0.1  # a signal handler may set `stop`, but must not notify
RELEASE_S = 0.5  # what a reader is given to release its device
BLOCKED_READERS = 3  # threads left behind in a dead driver; with so many, no more are added


class Reader:
    """A thread that opens a capture and keeps the newest of its pictures in a one-slot mailbox.

    One that comes `after` another gives it a moment to release the device: cameras are opened once at a time.
    """

    def __init__(self, open_capture: Callable[[], Capture], after: Reader | None = None) -> None:
        self.opened_s: float | None = None
        self.ended = False
        self.error: Exception | None = None  # why it ended, where there is more to say
        self._open, self._after = open_capture, after
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._slot: tuple[float, Image] | None = None
        self._overwritten = 0
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._after:
            self._after.leave(RELEASE_S)
            self._after = None
        try:
            capture = self._open()
            self.opened_s = time.monotonic()
            try:
                self._read(capture)
            finally:
                capture.release()
        except Exception as error:  # drivers raise what they like, and all of it means that the camera is lost
            self.error = error
        finally:
            with self._changed:
                self.ended = True
                self._changed.notify()

    def _read(self, capture: Capture) -> None:
        while not self._stop.is_set() and (image := capture.read()) is not None:
            with self._changed:
                self._overwritten += self._slot is not None
                self._slot = (time.monotonic(), image)
                self._changed.notify()

    def take(self, timeout_s: float) -> tuple[float, Image, int] | None:
        """When it was captured, the newest picture, and how many were dropped for it; None where there is none yet."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self.ended, timeout_s)
            if self._slot is None:
                return None
            (captured_s, image), dropped = self._slot, self._overwritten
            self._slot, self._overwritten = None, 0
            return captured_s, image, dropped

    def alive(self) -> bool:
        return self._thread.is_alive()

    def leave(self, wait_s: float = 0.0) -> None:
        """Ask the thread to release the device as soon as it can; wait no longer than told."""
        self._stop.set()
        self._thread.join(wait_s)


class Live(Source):
    """The newest frame each time; while the camera is lost, two a second with `error` and the last picture.

    `open_capture` makes the device, at the start and again after each loss. With `ends` (a recording that is played
    like a camera) the end of its pictures is the end of the source. Raises SourceError where no first picture comes.
    """

    live = True

    def __init__(
        self, name: str, open_capture: Callable[[], Capture], *, ends: bool = False, may_be_still: bool = False
    ) -> None:
        super().__init__(name)
        self._open, self._ends = open_capture, ends
        self._health = Health(may_be_still)
        self._left: list[Reader] = []
        capture = open_capture()  # here, in the main thread: there macOS asks whether the camera may be used
        self.fps, self.notice = capture.fps, capture.notice
        self._reader = Reader(lambda: capture)
        self._first = self._reader.take(FIRST_S)
        if self._first is None:
            self._reader.leave()
            why = self._reader.error or "is another program using it?"
            raise SourceError(f"camera {name} opens but gives no picture ({why}); check it and start again")
        self._start_s, self._index = self._first[0], -1
        self._image = self._first[1]
        self._lost_s: float | None = None  # since when
        self._notice_s = self._retry_s = 0.0  # when the next one is due
        self._delay_s = BACKOFF_S[0]
        self.losses, self._lost_before_s, self._lost_all_s = 0, 0.0, 0.0

    def __iter__(self) -> Iterator[Frame]:
        while not self.stop.is_set():
            taken, self._first = self._first or self._reader.take(POLL_S), None
            if taken:
                self._health.picture(taken[1], taken[0])
            elif self._ends and self._reader.ended:
                return
            now_s = time.monotonic()
            if taken and (self._ends or not self._health.frozen()):
                captured_s, self._image, dropped = taken
                self.dropped += dropped
                self._lost_s, self._delay_s, self._lost_before_s = None, BACKOFF_S[0], self._lost_all_s
                yield self._frame(captured_s, 1 + dropped)
                continue
            if not self._ends and self._is_lost(now_s):
                yield from self._while_lost(now_s)
            if self.idle:
                self.idle()

    def _frame(self, at_s: float, step: int, error: str | None = None) -> Frame:
        self._index += step
        return Frame(self._index, at_s - self._start_s, at_s, self._image, error=error)

    def _is_lost(self, now_s: float) -> bool:
        """Once lost, only a new picture ends it."""
        health = self._health
        return self._lost_s is not None or self._reader.ended or health.frozen() or health.stalled(now_s)

    def _while_lost(self, now_s: float) -> Iterator[Frame]:
        """Reopen the camera when that is due, and tell of its loss twice a second."""
        if self._lost_s is None:
            self._lost_s, self._notice_s, self._retry_s = now_s, now_s, now_s + self._delay_s
            self.losses += 1
        self._lost_all_s = self._lost_before_s + now_s - self._lost_s
        self._reopen(now_s)
        if now_s >= self._notice_s:
            self._notice_s = now_s + NOTICE_S
            yield self._frame(now_s, 1, self._health.words(now_s))
        if self._reader.ended:
            self.stop.wait(POLL_S)  # there is nothing to take that would wait

    def _reopen(self, now_s: float) -> None:
        """Start a new reader where the time has come; one attempt at a time, each twice as long after the last."""
        reader = self._reader
        trying = not reader.ended and (reader.opened_s is None or now_s - reader.opened_s < PATIENCE_S)
        self._left = [left for left in self._left if left.alive()]
        if now_s < self._retry_s or trying or len(self._left) >= BLOCKED_READERS:
            return
        self._left.append(reader)
        self._reader = Reader(self._open, after=reader)
        self._health.reopened()
        self._delay_s = min(2 * self._delay_s, BACKOFF_S[1])
        self._retry_s = now_s + self._delay_s

    def stats(self) -> dict[str, Any]:
        return super().stats() | {"lost": {"times": self.losses, "seconds": round(self._lost_all_s, 1)}}

    def close(self) -> None:
        self.stop.set()
        self._reader.leave(RELEASE_S)  # a healthy camera is released by then, a dead one never

"""Read a live source: keep only the newest frame, and notice, report and reopen a lost camera.

A thread reads the device, since a dead driver may block for ever. Such a thread is abandoned, never waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from edge.errors import SourceError
from edge.sources.base import Capture, Source
from edge.sources.health import Health
from edge.sources.outage import Outages
from edge.values import Frame, Image

START_TIMEOUT_S = 15.0  # for the first picture after the start
REOPEN_TIMEOUT_S = 5.0  # for the first picture of a reopened camera, before it is reopened again
OPEN_TIMEOUT_S = 60.0  # for a driver to open a device, before it counts as blocked
RELEASE_TIMEOUT_S = 0.5  # for a thread to release its device
POLL_INTERVAL_S = 0.1  # `stop` is polled, since a signal handler may set an event, but must not notify a condition
NO_PICTURE = (480, 640, 3)  # shape of the black picture of a camera that has not been there yet
MAX_BLOCKED_THREADS = 3  # abandoned in a dead driver; with so many, the camera is not reopened


class Captured(NamedTuple):
    """Hold a picture, when it was captured, and how many were dropped since the one before."""

    time_s: float
    image: Image
    dropped: int


class CaptureThread:
    """Open a device in a thread and keep its newest picture in a one-slot mailbox.

    A thread that replaces another (`after`) first gives it a moment to release the device, since a camera can be open
    only once at a time.
    """

    def __init__(self, open_capture: Callable[[], Capture], after: CaptureThread | None = None) -> None:
        self.started_s = time.monotonic()
        self.opened_s: float | None = None
        self.ended = False
        self.error: Exception | None = None  # that ended the thread
        self._open = open_capture
        self._after = after
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._newest: Captured | None = None
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._after:
            self._after.stop(RELEASE_TIMEOUT_S)
            self._after = None
        try:
            capture = self._open()
            self.opened_s = time.monotonic()
            try:
                self._read(capture)
            finally:
                capture.release()
        except Exception as error:  # whatever a driver raises, it means that the camera is lost
            self.error = error
        finally:
            with self._changed:
                self.ended = True
                self._changed.notify()

    def _read(self, capture: Capture) -> None:
        while not self._stop.is_set() and (image := capture.read()) is not None:
            with self._changed:
                dropped = 0 if self._newest is None else self._newest.dropped + 1
                self._newest = Captured(time.monotonic(), image, dropped)
                self._changed.notify()

    def take(self, timeout_s: float) -> Captured | None:
        """Return the newest picture once; None if the timeout passes, or the thread ends, without a new one."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self.ended, timeout_s)
            newest = self._newest
            self._newest = None
            return newest

    def is_alive(self) -> bool:
        """Return whether the thread still runs, or is blocked."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 0.0) -> None:
        """Ask the thread to release the device, and wait for it no longer than the timeout."""
        self._stop.set()
        self._thread.join(timeout_s)


class Absent(NamedTuple):
    """Hold why a camera cannot be opened at the start, and for how many seconds it is waited for."""

    error: SourceError
    wait_s: float


class Live(Source):
    """Yield the newest frame each time; during an outage, two frames a second with `error` set and the last picture.

    `open_capture` opens the device, at the start and again after each loss. A `finite` source, as a recording that is
    played like a camera, ends with its last picture and is never lost. Raises SourceError if no first picture comes.

    An `absent` camera is waited for like one that was lost, with a black picture; if the seconds pass without it,
    iterating raises its error.
    """

    live = True

    def __init__(
        self,
        name: str,
        open_capture: Callable[[], Capture],
        *,
        finite: bool = False,
        may_be_still: bool = False,
        absent: Absent | None = None,
    ) -> None:
        super().__init__(name)
        self._open = open_capture
        self._finite = finite
        self._health = Health(may_be_still)
        self._outages = Outages()
        self._abandoned: list[CaptureThread] = []
        self._absent = absent
        self._index = -1
        if absent:
            self._start_absent(absent)
        else:
            self._start()

    def _start(self) -> None:
        capture = self._open()  # in the main thread: there macOS asks the user for permission
        self.fps = capture.fps
        self.notice = capture.notice
        self._thread = CaptureThread(lambda: capture)
        self._first = self._thread.take(START_TIMEOUT_S)
        if self._first is None:
            self._thread.stop()
            if isinstance(self._thread.error, SourceError):
                raise self._thread.error
            reason = self._thread.error or "is another program using it?"
            raise SourceError(f"camera {self.name} opens but gives no picture ({reason}); check it and start again")
        self._start_s = self._first.time_s
        self._image = self._first.image

    def _start_absent(self, absent: Absent) -> None:
        self.notice = f"{absent.error}; waiting for it"
        self._first = None
        self._start_s = time.monotonic()
        self._image = np.zeros(NO_PICTURE, np.uint8)
        self._thread = CaptureThread(self._open)

    def __iter__(self) -> Iterator[Frame]:
        while not self.stop.is_set():
            captured = self._take()
            if captured:
                self._health.update(captured.image, captured.time_s)
            elif self._finite and self._thread.ended:
                return
            now_s = time.monotonic()
            if captured and (self._finite or not self._health.frozen()):
                self._outages.end()
                yield self._live_frame(captured)
                continue
            if self._is_lost(now_s):
                yield from self._handle_outage(now_s)
            if self.idle:
                self.idle()

    def _take(self) -> Captured | None:
        captured = self._first or self._thread.take(POLL_INTERVAL_S)
        self._first = None
        return captured

    def _live_frame(self, captured: Captured) -> Frame:
        self._absent = None
        self._image = captured.image
        self._index += 1 + captured.dropped
        self.dropped += captured.dropped
        return self._frame(captured.time_s)

    def _frame(self, now_s: float, error: str | None = None) -> Frame:
        return Frame(self._index, now_s - self._start_s, now_s, self._image, error=error)

    def _is_lost(self, now_s: float) -> bool:
        """Return whether the camera is lost; an outage lasts until a new picture ends it."""
        if self._finite:
            return False
        return self._outages.active or self._thread.ended or self._health.frozen() or self._health.stalled(now_s)

    def _handle_outage(self, now_s: float) -> Iterator[Frame]:
        """Reopen the camera when an attempt is due, and yield a frame with the error when a report is due."""
        self._outages.update(now_s)
        self._reopen(now_s)
        if self._outages.report_due(now_s):
            self._outages.reported(now_s)
            self._index += 1
            yield self._frame(now_s, self._waiting(now_s) if self._absent else self._health.message(now_s))
        if self._thread.ended:
            self.stop.wait(POLL_INTERVAL_S)  # an ended thread's take() returns at once

    def _waiting(self, now_s: float) -> str:
        """Return the message for a camera that has not been there yet. Raises its SourceError if it was too long."""
        assert self._absent
        waited_s = now_s - self._start_s
        if waited_s >= self._absent.wait_s:
            raise self._absent.error
        return f"camera {self.name} is absent: waiting, {waited_s:.0f} s"

    def _reopen(self, now_s: float) -> None:
        """Replace the capture thread if an attempt is due and none is under way."""
        thread = self._thread
        if thread.opened_s is None:
            is_opening = now_s - thread.started_s < OPEN_TIMEOUT_S
        else:
            is_opening = now_s - thread.opened_s < REOPEN_TIMEOUT_S
        self._abandoned = [blocked for blocked in self._abandoned if blocked.is_alive()]
        if not self._outages.retry_due(now_s) or len(self._abandoned) >= MAX_BLOCKED_THREADS:
            return
        if is_opening and not thread.ended:
            return
        self._abandoned.append(thread)
        self._thread = CaptureThread(self._open, after=thread)
        self._health.reopened()
        self._outages.retried(now_s)

    def stats(self) -> dict[str, Any]:
        """Return the source's values for --stats, outages included."""
        return super().stats() | {"lost": {"times": self._outages.count, "seconds": round(self._outages.total_s, 1)}}

    def close(self) -> None:
        """Release the device, unless its driver is dead."""
        self.stop.set()
        self._thread.stop(RELEASE_TIMEOUT_S)

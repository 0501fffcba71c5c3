"""Report to systemd, as a service: ready, a sign of life for its watchdog, and the state of the camera."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from edge.service.sd_notify import notify, watchdog_s
from edge.sinks.base import Delivery, Sink, SinkContext
from edge.untrusted import printable
from edge.values import Frame, Reading

DEFAULT_INTERVAL_S = 5.0


class Systemd(Sink):
    """Report from the loop's own thread: a loop that hangs gives no sign of life.

    The first frame makes the service ready, also one of a camera that is waited for. While a camera is lost, signs of
    life go on: what is reopening it works.
    """

    name = "systemd"
    delivery = Delivery.MAIN_THREAD

    def __init__(self, target: str, context: SinkContext) -> None:
        self._interval_s = (watchdog_s() or 2 * DEFAULT_INTERVAL_S) / 2
        self._beat_s = float("-inf")
        self._status = ""

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        status = "camera lost" if frame.error else "reading"
        if status != self._status:
            self._status = status
            notify("READY=1", f"STATUS={printable(frame.error or status)}")
        self.poll()

    def poll(self) -> None:
        """Give a sign of life, twice as often as needed."""
        now_s = time.monotonic()
        if self._status and now_s - self._beat_s >= self._interval_s:
            self._beat_s = now_s
            notify("WATCHDOG=1")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        notify("STOPPING=1")

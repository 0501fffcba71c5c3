"""End a run in order: the request to stop, and the signals that make it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

GRACE_S = 1.0  # from the request to stop, for outputs to write what waits for them
POLL_S = 0.05
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK")  # SIGHUP: a terminal or ssh connection is gone
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))

Handler = Callable[[int, Any], Any]


class Stop(threading.Event):
    """Ask a run to end, and remember when.

    A signal handler may set it at any moment: unlike those of threading.Event, the methods take no lock.
    """

    def __init__(self) -> None:
        super().__init__()
        self._set_s: float | None = None  # of the monotonic clock

    def set(self) -> None:
        """Ask the run to end."""
        if self._set_s is None:
            self._set_s = time.monotonic()

    def is_set(self) -> bool:
        """Return whether the run is to end."""
        return self._set_s is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run is to end, at most `timeout` seconds; return whether it is."""
        deadline_s = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (remaining_s := deadline_s - time.monotonic()) > 0:
            time.sleep(min(POLL_S, remaining_s))
        return self.is_set()

    def grace_is_over(self) -> bool:
        """Return whether outputs have had their time to write what waited for them."""
        return self._set_s is not None and time.monotonic() - self._set_s >= GRACE_S


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on Ctrl-C and on each signal that ends a program; a second Ctrl-C ends the run at once."""

    def request_stop(number: int, _: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    watched = signal.set_wakeup_fd(-1) if threading.current_thread() is threading.main_thread() else -1
    previous = handle_signals(request_stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if watched != -1:
            signal.set_wakeup_fd(watched)


def handle_signals(handler: Handler) -> dict[int, Any]:
    """Install a handler of the signals that end a program; return the previous ones, by number.

    Under nohup, SIGHUP stays ignored.
    """
    hung_up = getattr(signal, "SIGHUP", None)
    numbers = [number for number in SIGNALS if number != hung_up or signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in numbers}

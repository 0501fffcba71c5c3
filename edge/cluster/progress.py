"""Show on stderr how far a run is: how many pictures, how fast, for how long."""

from __future__ import annotations

import sys
import time
from types import TracebackType

TERMINAL_INTERVAL_S = 0.2
LOG_INTERVAL_S = 30.0  # without a terminal, each is a line
CLEAR = "\r\x1b[K"


class Progress:
    """Show a line that is replaced in a terminal, and one line in so many seconds elsewhere."""

    def __init__(self, total: int) -> None:
        self.count = 0
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._interval_s = TERMINAL_INTERVAL_S if self._terminal else LOG_INTERVAL_S
        self._first: tuple[int, float] | None = None  # count and time: workers take seconds to start
        self._shown_s = time.monotonic()

    def show(self, workers: int) -> None:
        """Show the progress, if it was not shown lately."""
        now_s = time.monotonic()
        if self._first is None and self.count:
            self._first = (self.count, now_s)
        if now_s - self._shown_s < self._interval_s:
            return
        self._shown_s = now_s
        line = self.line(now_s, workers)
        sys.stderr.write(f"{CLEAR}{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def line(self, now_s: float, workers: int) -> str:
        """Return the progress as text."""
        parts = [f"{self.count:,} of {self._total:,} pictures", f"{workers} worker{'s' if workers != 1 else ''}"]
        if self._first and self.count > self._first[0] and now_s > self._first[1]:
            rate = (self.count - self._first[0]) / (now_s - self._first[1])
            parts += [f"{rate:,.1f} a second", f"{duration((self._total - self.count) / rate)} left"]
        return ", ".join(parts)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.clear()

    def clear(self) -> None:
        """Make room for another line in a terminal."""
        if self._terminal:
            sys.stderr.write(CLEAR)
            sys.stderr.flush()


def duration(seconds: float) -> str:
    """Return a duration with its two largest units."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

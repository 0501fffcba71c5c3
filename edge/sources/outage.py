"""Track the outages of a camera: how many, how long, and when to report and to retry."""

from __future__ import annotations

from dataclasses import dataclass

REPORT_INTERVAL_S = 0.5
MIN_BACKOFF_S = 0.5  # before the first attempt to reopen a lost camera; doubled with each attempt
MAX_BACKOFF_S = 8.0


@dataclass
class Outages:
    """Count the outages of a camera and schedule what happens during one. Times are seconds of a monotonic clock."""

    count: int = 0
    total_s: float = 0.0
    _updated_s: float | None = None  # None while there is no outage
    _report_s: float = 0.0  # when the next report is due
    _retry_s: float = 0.0  # when the next attempt is due
    _backoff_s: float = 0.0

    @property
    def active(self) -> bool:
        """Return whether there is an outage now."""
        return self._updated_s is not None

    def update(self, now_s: float) -> None:
        """Record that the camera is lost; the first call starts an outage."""
        if self._updated_s is None:
            self.count += 1
            self._report_s = now_s
            self._backoff_s = MIN_BACKOFF_S
            self._retry_s = now_s + self._backoff_s
            self._updated_s = now_s
        self.total_s += now_s - self._updated_s
        self._updated_s = now_s

    def end(self) -> None:
        """Record that the camera gives pictures."""
        self._updated_s = None

    def report_due(self, now_s: float) -> bool:
        """Return whether it is time to report the outage."""
        return self.active and now_s >= self._report_s

    def reported(self, now_s: float) -> None:
        """Schedule the next report."""
        self._report_s = now_s + REPORT_INTERVAL_S

    def retry_due(self, now_s: float) -> bool:
        """Return whether it is time to reopen the camera."""
        return self.active and now_s >= self._retry_s

    def retried(self, now_s: float) -> None:
        """Schedule the next attempt to reopen the camera, with exponential backoff."""
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
        self._retry_s = now_s + self._backoff_s

"""Decide from the pictures of a camera and their times whether it is lost."""

from __future__ import annotations

import numpy as np

from edge.values import Image

STALLED_S = 2.0  # no frame for this long: lost
FROZEN_S = 5.0  # one picture, byte for byte, for this long: lost


class Health:
    """Watch the pictures of a camera. Times are seconds of the monotonic clock.

    The noise of a sensor makes every picture differ, so one that repeats byte for byte comes from a stuck driver (or a
    covered lens, where no face is lost by it). A stream may rightly show a still screen: with `may_be_still`, a picture
    that repeats even after the stream was reopened counts as still, not frozen, until it changes.
    """

    def __init__(self, may_be_still: bool) -> None:
        self._may_be_still = may_be_still
        self._is_still = False
        self._last: Image | None = None
        self._captured_s = 0.0  # of the last picture
        self._changed_s = 0.0  # of the last picture that differed from the one before

    def update(self, image: Image, captured_s: float) -> None:
        """Record a picture and when it was captured."""
        if self._last is None or not _equal(self._last, image):
            self._changed_s = captured_s
            self._is_still = False
        self._last = image
        self._captured_s = captured_s

    def reopened(self) -> None:
        """Record that the camera is being reopened."""
        self._is_still = self._may_be_still

    def stalled(self, now_s: float) -> bool:
        """Return whether no picture has come for too long."""
        return now_s - self._captured_s >= STALLED_S

    def frozen(self) -> bool:
        """Return whether the same picture has been repeated for too long."""
        return self._captured_s - self._changed_s >= FROZEN_S and not self._is_still

    def message(self, now_s: float) -> str:
        """Return why the camera counts as lost, for the user."""
        if self.stalled(now_s):
            return f"camera lost: no frame for {now_s - self._captured_s:.0f} s, reopening"
        if self.frozen():
            return f"camera lost: one picture repeated for {now_s - self._changed_s:.0f} s, reopening"
        return "camera lost: unplugged or ended, reopening"


def _equal(a: Image, b: Image) -> bool:
    """Compare byte for byte. One pixel in 256 comes first: it takes 10 microseconds, and shows any noise."""
    return a.shape == b.shape and np.array_equal(a[::16, ::16], b[::16, ::16]) and np.array_equal(a, b)

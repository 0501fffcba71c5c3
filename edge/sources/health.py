"""Is a camera still alive? Judged by its pictures and the time alone."""

from __future__ import annotations

import numpy as np

from edge.values import Image

STALLED_S = 2.0  # no frame for this long: lost
FROZEN_S = 5.0  # one picture, byte for byte, for this long: lost


class Health:
    """Told of each picture, says whether the camera is lost.

    A sensor's noise makes no two pictures equal, so one that repeats byte for byte is a stuck driver (or a covered
    lens: no face is lost by it). A stream may truly show a still screen: with `may_be_still`, a repeated picture that
    is still there after the stream was opened anew is what the stream shows, until it changes.
    """

    def __init__(self, may_be_still: bool) -> None:
        self._may_be_still, self._is_still = may_be_still, False
        self._last: Image | None = None
        self._seen_s = self._changed_s = 0.0  # the last picture, and the last that differed from the one before

    def picture(self, image: Image, captured_s: float) -> None:
        """The camera gave this picture then."""
        if self._last is None or not _same(self._last, image):
            self._changed_s, self._is_still = captured_s, False
        self._last, self._seen_s = image, captured_s

    def reopened(self) -> None:
        """The camera is being opened anew."""
        self._is_still = self._may_be_still

    def stalled(self, now_s: float) -> bool:
        return now_s - self._seen_s >= STALLED_S

    def frozen(self) -> bool:
        return self._seen_s - self._changed_s >= FROZEN_S and not self._is_still

    def words(self, now_s: float) -> str:
        """What is wrong, for people."""
        if self.stalled(now_s):
            return f"camera lost: no frame for {now_s - self._seen_s:.0f} s, reopening"
        if self.frozen():
            return f"camera lost: one picture repeated for {now_s - self._changed_s:.0f} s, reopening"
        return "camera lost: unplugged or ended, reopening"


def _same(a: Image, b: Image) -> bool:
    """Equal to the byte. One pixel in 256 is looked at first: 10 microseconds, and noise shows itself there."""
    return a.shape == b.shape and np.array_equal(a[::16, ::16], b[::16, ::16]) and np.array_equal(a, b)

"""Turn the timestamps of a recording's frames into their times."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

MAX_FPS = 240.0  # of a header; browsers write 1000, the clock of the file
DEFAULT_FPS = 30.0
SPLICE_S = 1.0  # a timestamp so far behind the last one begins a new count, as where two files were joined
GAP_S = 3600.0  # and one so far ahead: of another file, or damaged


class FrameTimes:
    """Return times in seconds, from 0, each later than the one before.

    A frame whose timestamp is absent or does not advance comes 1 / `fps` after the one before it.
    """

    def __init__(self, fps: float) -> None:
        self.estimated = 0  # frames without a timestamp that advances
        self._interval_s = 1 / fps
        self._origin_s = 0.0  # timestamp of time 0
        self._last_s: float | None = None

    def next(self, timestamp_s: float | None) -> float:
        """Return the time of the next frame; its timestamp is None if it has none."""
        if self._last_s is None:
            self._origin_s = timestamp_s or 0.0
            self._last_s = 0.0
            return 0.0
        expected_s = self._last_s + self._interval_s
        time_s = expected_s if timestamp_s is None else timestamp_s - self._origin_s
        if not self._last_s - SPLICE_S <= time_s <= self._last_s + GAP_S:
            self._origin_s += time_s - expected_s
            time_s = expected_s
        if timestamp_s is None or time_s <= self._last_s:
            self.estimated += 1
            time_s = expected_s
        self._last_s = time_s
        return time_s


def plausible_fps(header_fps: float, timestamps_s: Sequence[float | None] = ()) -> float:
    """Return the frame rate of the header, unless the timestamps of the first frames contradict it.

    It is then 1 / their median interval. A header without a believable rate and timestamps gives 30.
    """
    header = header_fps if 0 < header_fps <= MAX_FPS else None
    known = [timestamp for timestamp in timestamps_s if timestamp is not None]
    intervals = sorted(after - before for before, after in itertools.pairwise(known) if after > before)
    if not intervals:
        return header or DEFAULT_FPS
    middle = (len(intervals) - 1) // 2
    measured = 2 / (intervals[middle] + intervals[len(intervals) // 2])
    if header and 0.8 <= header / measured <= 1.25:
        return header
    return min(measured, MAX_FPS)

"""Measure the time of each stage, the age of each reading, and the frames per second."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

STAGES = ("capture", "detect", "classify", "smooth", "draw", "output")  # in the order of the loop
MAX_FRAMES = 10_000  # latest frames of which times are kept, so that memory stays bounded in a run of days
FPS_INTERVALS = 30  # between the latest frames, over which the current frame rate is measured


class Meter:
    """Collect stage times and frame ages of a run."""

    def __init__(self) -> None:
        self.frames = 0
        self._stages: dict[str, deque[float]] = {}
        self._ages: deque[float] = deque(maxlen=MAX_FRAMES)
        self._ends: deque[float] = deque(maxlen=FPS_INTERVALS + 1)
        self._first_s = 0.0
        self._last_s = 0.0

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the time of a stage."""
        start = time.perf_counter()
        yield
        self._stages.setdefault(name, deque(maxlen=MAX_FRAMES)).append(time.perf_counter() - start)

    def reading(self, captured_s: float) -> None:
        """Record that a frame captured at that time (time.monotonic) has been read now."""
        self._ages.append(time.monotonic() - captured_s)

    def frame(self) -> None:
        """Record that a frame is finished."""
        self._last_s = time.perf_counter()
        self._first_s = self._first_s or self._last_s
        self._ends.append(self._last_s)
        self.frames += 1

    @property
    def fps_now(self) -> float:
        """Return the frames per second over the last 30 intervals; 0 before the second frame."""
        return _rate(len(self._ends), self._ends[-1] - self._ends[0]) if self._ends else 0.0

    def spent_ms(self) -> dict[str, float]:
        """Return the total time of each stage in milliseconds."""
        return {name: 1000 * sum(times) for name, times in self._stages.items()}

    @property
    def ages_ms(self) -> list[float]:
        """Return the time from capture to reading of each frame, in milliseconds."""
        return [1000 * age for age in self._ages]

    def stats(self) -> dict[str, Any]:
        """Return frames, seconds and FPS over the N-1 intervals between frame ends, and percentiles in milliseconds."""
        seconds = self._last_s - self._first_s
        return {
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "fps": round(_rate(self.frames, seconds), 2),
            "stages_ms": {name: _percentiles(self._stages[name]) for name in STAGES if name in self._stages},
            "age_ms": _percentiles(self._ages),
        }


def _rate(frames: int, seconds: float) -> float:
    return (frames - 1) / seconds if seconds > 0 else 0.0


def _percentiles(times_s: deque[float]) -> dict[str, float | None]:
    if not times_s:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(np.array(times_s) * 1000, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}

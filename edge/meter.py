"""Measure the time of each stage, the age of each reading, and the frames per second."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Any

STAGES = ("capture", "detect", "classify", "smooth", "draw", "output")  # in the order of the loop
MAX_FRAMES = 10_000  # latest frames of which times are kept, so that memory stays bounded in a run of days
FPS_INTERVALS = 30  # between the latest frames, over which the current frame rate is measured


class Stage:
    """Measure the time of each `with` block; one that raises does not count."""

    def __init__(self) -> None:
        self.times_s: deque[float] = deque(maxlen=MAX_FRAMES)

    def __enter__(self) -> Stage:
        self._is_void = False
        self._start_s = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None and not self._is_void:
            self.times_s.append(time.perf_counter() - self._start_s)

    def void(self) -> None:
        """Do not count the block that runs."""
        self._is_void = True


class Meter:
    """Collect stage times and frame ages of a run."""

    def __init__(self) -> None:
        self.frames = 0
        self._stages: dict[str, Stage] = {}
        self._ages: deque[float] = deque(maxlen=MAX_FRAMES)
        self._ends: deque[float] = deque(maxlen=FPS_INTERVALS + 1)
        self._first_s = 0.0
        self._last_s = 0.0
        self._has_start = False

    def start(self) -> None:
        """Measure from now on, as where frames end in batches; without it, from the end of the first frame."""
        self._first_s = self._last_s = time.perf_counter()
        self._has_start = True

    def stage(self, name: str) -> Stage:
        """Return the context that measures a stage; it cannot contain itself."""
        if name not in self._stages:
            self._stages[name] = Stage()
        return self._stages[name]

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

    def _times_s(self, name: str) -> deque[float]:
        return self._stages[name].times_s if name in self._stages else deque()

    def spent_ms(self) -> dict[str, float]:
        """Return the total time of each stage in milliseconds."""
        return {name: 1000 * sum(stage.times_s) for name, stage in self._stages.items()}

    @property
    def ages_ms(self) -> list[float]:
        """Return the time from capture to reading of each frame, in milliseconds."""
        return [1000 * age for age in self._ages]

    def stats(self) -> dict[str, Any]:
        """Return frames, seconds and FPS, and percentiles in milliseconds.

        The time is that of the N-1 intervals between frame ends or, with a start, of N.
        """
        seconds = self._last_s - self._first_s
        return {
            "frames": self.frames,
            "seconds": round(seconds, 3),
            "fps": round(_rate(self.frames + self._has_start, seconds), 2),
            "stages_ms": {name: _percentiles(times_s) for name in STAGES if (times_s := self._times_s(name))},
            "age_ms": _percentiles(self._ages),
        }


def _rate(frames: int, seconds: float) -> float:
    return (frames - 1) / seconds if seconds > 0 else 0.0


def _percentiles(times_s: deque[float]) -> dict[str, float | None]:
    if not times_s:
        return {"p50": None, "p95": None}
    ordered = sorted(times_s)
    return {f"p{percent}": round(1000 * _percentile(ordered, percent), 3) for percent in (50, 95)}


def _percentile(ordered: list[float], percent: float) -> float:
    """Interpolate between the two nearest values, as np.percentile does, whose first call imports all of numpy.ma."""
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])

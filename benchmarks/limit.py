"""What a frame's processing costs against its limit: the library calls that it makes, timed alone.

The loop runs once with its detector's and classifier's `raw` calls recorded; then blocks of frames go through the loop
and the same calls alone, by turns, so that a clock that drifts hits both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.pipeline import Pipeline
from edge.values import Frame

BLOCK = 20  # frames a turn
Calls: TypeAlias = list[Callable[[], Any]]


def measure(
    make: Callable[[], Pipeline], frames: Sequence[Frame]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Milliseconds a frame, of the processing and of its raw calls alone; `make` gives a pipeline with no memory."""
    calls = _record(make(), frames)
    loop, alone = make(), list[float]()
    times = list[float]()
    for start in range(0, len(frames), BLOCK):
        block = range(start, min(start + BLOCK, len(frames)))
        for i in block:
            fresh = replace(frames[i], image=frames[i].image.copy())  # in the cache, as a camera has just written it
            times.append(_milliseconds([partial(loop.step, fresh)]))
        alone += [_milliseconds(calls[i]) for i in block]
    return np.array(times), np.array(alone)


def _milliseconds(calls: Calls) -> float:
    start = time.perf_counter()
    for call in calls:
        call()
    return 1000 * (time.perf_counter() - start)


def _record(pipeline: Pipeline, frames: Sequence[Frame]) -> list[Calls]:
    """The raw calls of each frame, ready to be made again."""
    recorded = []
    for frame in frames:
        calls: Calls = []
        with _overheard(pipeline.detector, calls), _overheard(pipeline.classifier.backend, calls):
            pipeline.step(frame)
        recorded.append(calls)
    return recorded


@contextmanager
def _overheard(owner: Any, calls: Calls) -> Iterator[None]:
    """Keep what `owner.raw` is called with, and let it through."""
    raw = owner.raw

    def call(*args: Any, **options: Any) -> Any:
        kept = [value.copy() if isinstance(value, np.ndarray) else value for value in args]
        calls.append(lambda: raw(*kept, **options))
        return raw(*args, **options)

    owner.raw = call
    try:
        yield
    finally:
        owner.raw = raw

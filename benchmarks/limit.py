"""What a frame's processing costs against its limit: the library calls that it makes, timed alone.

The loop runs once with the `raw` calls of its detector and classifier recorded; then blocks of frames go
through the loop, the same calls alone, and a peer where there is one, by turns, so that a clock that drifts hits all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edge.pipeline import Pipeline
from edge.values import Frame

BLOCK = 10  # frames a turn: as many as from one detection to the next
Calls: TypeAlias = list[Callable[[], Any]]
Peer: TypeAlias = Callable[[range], list[float]]


def measure(
    make: Callable[[], Pipeline], frames: Sequence[Frame], peer: Peer | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Milliseconds of each block of frames: `loop` (processing alone), `limit` (its raw calls), `peer` (with one).

    `frames` tells how many were in each block. `make` gives a pipeline with no memory; `peer` takes numbers of frames
    and gives its milliseconds for each.
    """
    calls, pipeline = _record(make(), frames), make()
    times: dict[str, list[float]] = {"frames": [], "loop": [], "limit": []}
    for start in range(0, len(frames), BLOCK):
        block = range(start, min(start + BLOCK, len(frames)))
        _milliseconds(calls[start])  # not counted: the caches may still be the peer's
        spent = 0.0
        for i in block:
            fresh = replace(frames[i], image=frames[i].image.copy())  # in the cache, as a camera has just written it
            spent += _milliseconds([partial(pipeline.step, fresh)])
        times["frames"].append(len(block))
        times["loop"].append(spent)
        times["limit"].append(sum(_milliseconds(calls[i]) for i in block))
        if peer:
            times.setdefault("peer", []).append(sum(peer(block)))
    return {name: np.array(values) for name, values in times.items()}


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
        with contextlib.ExitStack() as overhearing:
            for owner in (pipeline.detector, pipeline.classifier.backend):
                overhearing.enter_context(_overheard(owner, calls))
            pipeline.step(frame)
        recorded.append(calls)
    return recorded


@contextlib.contextmanager
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

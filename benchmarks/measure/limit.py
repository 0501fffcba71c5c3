"""What a frame's processing costs against its limit: the library calls that it makes, timed alone.

The loop runs once with the `raw` calls of its detector and classifier recorded; then stretches of the clip go through
the loop and through the same calls alone, by turns, so that a clock that drifts hits both alike; and the whole clip
again, several times. In the first pass a peer has its turns too, where there is one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from benchmarks.measure.estimates import Floats
from edge.pipeline import Pipeline
from edge.values import Frame

STRETCH = 10  # frames a turn: as many as from one detection to the next
Calls: TypeAlias = list[Callable[[], Any]]
Peer: TypeAlias = Callable[[range], list[float]]


@dataclass(frozen=True)
class Times:
    """Milliseconds of each stretch of the clip in each pass, [passes, stretches]; `peer` [stretches] beside pass 0."""

    loop: Floats
    limit: Floats
    peer: Floats | None


def measure(make: Callable[[], Pipeline], frames: Sequence[Frame], passes: int, peer: Peer | None = None) -> Times:
    """`make` gives a pipeline with no memory; `peer` takes numbers of frames and gives its milliseconds for each."""
    calls = _record(make(), frames)
    stretches = [range(start, min(start + STRETCH, len(frames))) for start in range(0, len(frames), STRETCH)]
    loop, limit, others = [], [], []
    for number in range(passes):
        pipeline = make()
        for stretch in stretches:
            _milliseconds(calls[stretch.start])  # not counted: the caches may still be the peer's
            spent = 0.0
            for i in stretch:
                fresh = replace(frames[i], image=frames[i].image.copy())  # in the cache, as from a camera
                spent += _milliseconds([partial(pipeline.step, fresh)])
            loop.append(spent)
            limit.append(sum(_milliseconds(calls[i]) for i in stretch))
            if peer and number == 0:
                others.append(sum(peer(stretch)))
    shape = passes, len(stretches)
    return Times(np.reshape(loop, shape), np.reshape(limit, shape), np.array(others) if peer else None)


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
    """Keep what `owner.invoke` is called with, and let it through."""
    invoke = owner.invoke

    def call(*args: Any, **options: Any) -> Any:
        kept = [value.copy() if isinstance(value, np.ndarray) else value for value in args]
        calls.append(lambda: invoke(*kept, **options))
        return invoke(*args, **options)

    owner.invoke = call
    try:
        yield
    finally:
        owner.invoke = invoke

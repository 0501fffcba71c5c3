"""Time the pipeline against its lower bound: the library calls that it makes, timed alone.

The pipeline runs once with the library calls of its detector and classifier recorded. Then sections of the clip go
through the pipeline and through the same calls alone, by turns, so that a drifting clock affects both alike; and the
whole clip again, several times. In the first pass a peer has its turns too, if there is one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from benchmarks.measure.estimates import Samples
from edge.pipeline import Pipeline
from edge.values import Frame

FRAMES_PER_TURN = 10
Calls: TypeAlias = list[Callable[[], Any]]
TimePeer: TypeAlias = Callable[[range], list[float]]  # indices of frames -> milliseconds for each


@dataclass(frozen=True)
class TurnTimes:
    """Hold the milliseconds of each turn [passes, turns]; those of the peer [turns] are from the first pass."""

    pipeline: Samples
    library_calls: Samples
    peer: Samples | None


def time_turns(
    make_pipeline: Callable[[], Pipeline], frames: Sequence[Frame], passes: int, time_peer: TimePeer | None = None
) -> TurnTimes:
    """Time the frames by turns; `make_pipeline` returns a new pipeline, which remembers no frames, for each pass."""
    calls = _record(make_pipeline(), frames)
    turns = [
        range(start, min(start + FRAMES_PER_TURN, len(frames))) for start in range(0, len(frames), FRAMES_PER_TURN)
    ]
    pipeline_ms = []
    calls_ms = []
    peer_ms = []
    for number in range(passes):
        pipeline = make_pipeline()
        for turn in turns:
            _milliseconds(calls[turn.start])  # not counted: the caches may still hold the peer's data
            pipeline_ms.append(sum(_step_ms(pipeline, frames[i]) for i in turn))
            calls_ms.append(sum(_milliseconds(calls[i]) for i in turn))
            if time_peer and number == 0:
                peer_ms.append(sum(time_peer(turn)))
    shape = passes, len(turns)
    return TurnTimes(
        np.reshape(pipeline_ms, shape), np.reshape(calls_ms, shape), np.array(peer_ms) if time_peer else None
    )


def _step_ms(pipeline: Pipeline, frame: Frame) -> float:
    copy = replace(frame, image=frame.image.copy())  # in the cache, as from a camera
    return _milliseconds([partial(pipeline.step, copy)])


def _milliseconds(calls: Calls) -> float:
    start = time.perf_counter()
    for call in calls:
        call()
    return 1000 * (time.perf_counter() - start)


def _record(pipeline: Pipeline, frames: Sequence[Frame]) -> list[Calls]:
    """Return the library calls of each frame, ready to be repeated."""
    recorded = []
    for frame in frames:
        calls: Calls = []
        with _recording(pipeline.detector, calls), _recording(pipeline.classifier.backend, calls):
            pipeline.step(frame)
        recorded.append(calls)
    return recorded


@contextlib.contextmanager
def _recording(owner: Any, calls: Calls) -> Iterator[None]:
    """Append each call of `owner.invoke` to `calls`, with its own copy of the arguments."""
    invoke = owner.invoke

    def recorder(*args: Any, **options: Any) -> Any:
        copies = [value.copy() if isinstance(value, np.ndarray) else value for value in args]
        calls.append(lambda: invoke(*copies, **options))
        return invoke(*args, **options)

    owner.invoke = recorder
    try:
        yield
    finally:
        owner.invoke = invoke

"""How long one inference takes, models side by side.

The models take turns in short rounds within one run, and every other round goes in reverse order, so that a clock that
drifts or a neighbour that wakes up hits all of them alike. Medians and percentiles, no outlier left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.classifier import Backend
from edge.preprocess import to_input
from edge.values import Image
from train.progress import Advance, nothing

WARM_UP = 50  # inferences a model
ROUND = 20  # inferences a turn


def measure(
    backends: Sequence[Backend], faces: Sequence[Image], runs: int, advance: Advance = nothing
) -> list[npt.NDArray[np.float64]]:
    """Times in ms, one array [>= runs] a model; `faces` are uint8, grey or BGR, of any size.

    Preprocessing is apart: what is timed is the tensor's way in, the network, and the probabilities' way out.
    """
    inputs = [[to_input(face, item.card.input_size, item.card.face_size) for face in faces] for item in backends]
    for backend, pixels in zip(backends, inputs, strict=True):
        for i in range(WARM_UP):
            backend.run(pixels[i % len(pixels)])
    times: list[list[float]] = [[] for _ in backends]
    for turn in range(-(-runs // ROUND)):
        order = range(len(backends))
        for model in order if turn % 2 == 0 else reversed(order):
            run, pixels = backends[model].run, inputs[model]
            for i in range(turn * ROUND, (turn + 1) * ROUND):
                start = time.perf_counter()
                run(pixels[i % len(pixels)])
                times[model].append(1000 * (time.perf_counter() - start))
        for _ in range(ROUND):
            advance()
    return [np.array(values) for values in times]


def percentiles(times_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """p50, p95, p99 in ms."""
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}

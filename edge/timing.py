"""Inferences timed side by side, fairly.

The models take turns in short rounds, and every other round goes in reverse order, so that a clock that drifts or a
neighbour that wakes up hits all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge.backends.base import Backend
from edge.preprocess import to_input
from edge.values import Image

WARM_UP = 50  # inferences a model
ROUND = 20  # inferences a turn


def time_inference(
    backends: Sequence[Backend], faces: Sequence[Image], runs: int, advance: Callable[[], None] = lambda: None
) -> list[npt.NDArray[np.float64]]:
    """Times in ms, one array [>= runs] a model; `faces` are uint8, grey or BGR, of any size.

    Preprocessing is apart: what is timed is the tensor's way in, the network, and the probabilities' way out. `advance`
    is called once for `runs` of all models.
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

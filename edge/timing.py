"""Time the inference of several models under equal conditions.

The models take turns in short rounds, and every other round runs in reverse order, so that a drifting clock or other
load affects all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge.backends.base import Backend
from edge.preprocess import to_input
from edge.values import Image

WARM_UP_RUNS = 50  # inferences a model
RUNS_PER_TURN = 20  # inferences


def time_inference(
    backends: Sequence[Backend], faces: Sequence[Image], runs: int, advance: Callable[[], None] = lambda: None
) -> list[npt.NDArray[np.float64]]:
    """Return the times in ms, one array [>= runs] a model.

    `faces` are uint8, grey or BGR, of any size. Preprocessing is not timed: a time covers copying the input in, the
    network, and copying the probabilities out. `advance` reports progress: it is called once for each run of all
    models.
    """
    cards = [backend.card for backend in backends]
    inputs = [[to_input(face, card.input_size, card.face_size, card.colour) for face in faces] for card in cards]
    for backend, pixels in zip(backends, inputs, strict=True):
        for i in range(WARM_UP_RUNS):
            backend.run(pixels[i % len(pixels)])
    times: list[list[float]] = [[] for _ in backends]
    for turn in range(-(-runs // RUNS_PER_TURN)):
        order = range(len(backends))
        for model in order if turn % 2 == 0 else reversed(order):
            run = backends[model].run
            pixels = inputs[model]
            for i in range(turn * RUNS_PER_TURN, (turn + 1) * RUNS_PER_TURN):
                start = time.perf_counter()
                run(pixels[i % len(pixels)])
                times[model].append(1000 * (time.perf_counter() - start))
        for _ in range(RUNS_PER_TURN):
            advance()
    return [np.array(values) for values in times]

"""How long one inference takes, models side by side, by turns. Medians and percentiles, no outlier left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edge.classifier import Backend
from edge.preprocess import to_input
from edge.timing import by_turns
from edge.values import Image, Probabilities
from train.progress import Advance, nothing


def measure(
    backends: Sequence[Backend], faces: Sequence[Image], runs: int, advance: Advance = nothing
) -> list[npt.NDArray[np.float64]]:
    """Times in ms, one array [>= runs] a model; `faces` are uint8, grey or BGR, of any size.

    Preprocessing is apart: what is timed is the tensor's way in, the network, and the probabilities' way out.
    """

    def call(backend: Backend) -> Callable[[int], Probabilities]:
        inputs = [to_input(face, backend.card.input_size, backend.card.face_size) for face in faces]
        return lambda i: backend.run(inputs[i % len(inputs)])

    return by_turns([call(backend) for backend in backends], runs, advance)


def percentiles(times_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """p50, p95, p99 in ms."""
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}

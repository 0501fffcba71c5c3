"""Readings over time -> steadier readings: an exponential mean of each face's own probabilities.

The time constant is in seconds, so a camera of 10 and one of 60 frames a second flicker equally little.
"""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np

from edge.values import Probabilities

TIME_CONSTANT_S = 0.3


class Smoother:
    """One mean a face id."""

    def __init__(self, time_constant_s: float = TIME_CONSTANT_S) -> None:
        self._time_constant_s = time_constant_s
        self._means: dict[int, tuple[float, Probabilities]] = {}

    def update(self, id_: int, time_s: float, probabilities: Probabilities) -> Probabilities:
        """The mean after this reading; the first reading of a face is its own mean."""
        if id_ in self._means:
            before_s, mean = self._means[id_]
            weight = 1 - math.exp(-max(0.0, time_s - before_s) / self._time_constant_s)
            probabilities = mean + (probabilities - mean) * np.float32(weight)
        self._means[id_] = (time_s, probabilities)
        return probabilities

    def keep(self, ids: Set[int]) -> None:
        """Forget every other face."""
        self._means = {id_: mean for id_, mean in self._means.items() if id_ in ids}

"""Readings over time -> steadier readings: a mean of each face's probabilities, and a name that does not flicker.

The time constant is in seconds, so a camera of 10 and one of 60 frames a second flicker equally little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set

import numpy as np

from edge.values import UNCERTAIN, Probabilities

TIME_CONSTANT_S = 0.3
UNCERTAIN_BELOW = 0.4  # the shipped model is right on 37% of the PublicTest faces of which it is less sure than this
HYSTERESIS = 0.1  # by so much another emotion must lead, or the shown one fall below UNCERTAIN_BELOW, to replace it


class Smoother:
    """One exponential mean and one shown name a face id."""

    def __init__(self, time_constant_s: float = TIME_CONSTANT_S, uncertain_below: float = UNCERTAIN_BELOW) -> None:
        self._time_constant_s, self._uncertain_below = time_constant_s, uncertain_below
        self._faces: dict[int, tuple[float, Probabilities, str]] = {}  # id -> when, mean, name shown

    def update(
        self, id_: int, time_s: float, probabilities: Probabilities, labels: Sequence[str]
    ) -> tuple[Probabilities, str]:
        """The mean after this reading, and the name to show; the first reading of a face is its own mean."""
        shown = UNCERTAIN
        if id_ in self._faces:
            before_s, mean, shown = self._faces[id_]
            weight = 1.0
            if self._time_constant_s > 0:
                weight -= math.exp(-max(0.0, time_s - before_s) / self._time_constant_s)
            probabilities = mean + (probabilities - mean) * np.float32(weight)
        shown = steady(probabilities, labels, shown, self._uncertain_below)
        self._faces[id_] = (time_s, probabilities, shown)
        return probabilities, shown

    def keep(self, ids: Set[int]) -> None:
        """Forget every other face."""
        self._faces = {id_: known for id_, known in self._faces.items() if id_ in ids}


def steady(
    probabilities: Probabilities,
    labels: Sequence[str],
    shown: str = UNCERTAIN,
    uncertain_below: float = UNCERTAIN_BELOW,
) -> str:
    """The name to show for these probabilities where `shown` was the last one."""
    best = int(probabilities.argmax())
    if shown != UNCERTAIN:
        lenient = float(probabilities[labels.index(shown)]) + HYSTERESIS
        if lenient >= max(float(probabilities[best]), uncertain_below):
            return shown
    return labels[best] if probabilities[best] >= uncertain_below else UNCERTAIN

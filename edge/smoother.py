"""Smooth each face's probabilities over time, and keep its label from flickering.

The time constant is in seconds, so the smoothing is the same at 10 and at 60 frames a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edge.labels import UNCERTAIN
from edge.values import Probabilities

TIME_CONSTANT_S = 0.3
UNCERTAIN_BELOW = 0.4  # of 186 PublicTest faces below it, the default model agrees with most annotators on 49%
HYSTERESIS = 0.1  # lead in probability that another emotion needs to become the label
FORGET_AFTER_S = 10.0


class _State(NamedTuple):
    """Remember one face: the time and the mean of its last update, and its label."""

    time_s: float
    mean: Probabilities
    label: str


class Smoother:
    """Keep an exponential moving average and a label for each face id; `labels` are in the order of probabilities."""

    def __init__(
        self,
        labels: Sequence[str],
        time_constant_s: float = TIME_CONSTANT_S,
        uncertain_below: float = UNCERTAIN_BELOW,
        hysteresis: float = HYSTERESIS,
    ) -> None:
        self._labels = labels
        self._time_constant_s = time_constant_s
        self._uncertain_below = uncertain_below
        self._hysteresis = hysteresis
        self._faces: dict[int, _State] = {}

    def update(self, id_: int, time_s: float, probabilities: Probabilities) -> tuple[Probabilities, str]:
        """Return the moving average after this reading, and the label.

        It starts anew with a new face, and where time does not advance: that is another video.
        """
        last = self._faces.get(id_)
        if last is not None and time_s > last.time_s:
            weight = self._weight(time_s - last.time_s)
            mean = last.mean + (probabilities - last.mean) * np.float32(weight)
            label = self.choose_label(mean, last.label)
        else:
            mean = probabilities
            label = self.choose_label(mean)
            self._forget(time_s)
        self._faces[id_] = _State(time_s, mean, label)
        return mean, label

    def _weight(self, elapsed_s: float) -> float:
        """Return the weight of the newest reading, 0..1."""
        return 1 - math.exp(-elapsed_s / self._time_constant_s) if self._time_constant_s > 0 else 1.0

    def choose_label(self, probabilities: Probabilities, current: str = "") -> str:
        """Return the label for these probabilities after the current one, if any.

        The label changes only when another emotion leads by the hysteresis, or when its probability falls below
        `uncertain_below`. After that, it takes half the hysteresis more than `uncertain_below` to leave `uncertain`.
        """
        values: list[float] = probabilities.tolist()  # a few numbers are compared faster without numpy
        best = max(values)
        if current in self._labels:
            probability = values[self._labels.index(current)]
            if probability >= self._uncertain_below and probability + self._hysteresis >= best:
                return current
        threshold = self._uncertain_below + (self._hysteresis / 2 if current == UNCERTAIN else 0)
        return self._labels[values.index(best)] if best >= threshold else UNCERTAIN

    def _forget(self, now_s: float) -> None:
        """Drop the faces that were not seen for long: ids are never reused, so they would accumulate."""
        self._faces = {id_: state for id_, state in self._faces.items() if now_s - state.time_s < FORGET_AFTER_S}

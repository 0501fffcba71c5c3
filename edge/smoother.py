"""Readings over time -> steadier readings: a mean of each face's probabilities, and a name that does not flicker.

The time constant is in seconds, so a camera of 10 and one of 60 frames a second flicker equally little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from edge.values import UNCERTAIN, Probabilities

TIME_CONSTANT_S = 0.3
UNCERTAIN_BELOW = 0.4  # the shipped model is right on 37% of the PublicTest faces of which it is less sure than this
HYSTERESIS = 0.1  # by so much another emotion must lead to replace the one shown
FORGOTTEN_S = 10.0


class Smoother:
    """One exponential mean and one shown name a face id; `labels` name the probabilities, in their order."""

    def __init__(
        self,
        labels: Sequence[str],
        time_constant_s: float = TIME_CONSTANT_S,
        uncertain_below: float = UNCERTAIN_BELOW,
        hysteresis: float = HYSTERESIS,
    ) -> None:
        self._labels, self._time_constant_s = labels, time_constant_s
        self._uncertain_below, self._hysteresis = uncertain_below, hysteresis
        self._faces: dict[int, tuple[float, Probabilities, str]] = {}  # id -> when, mean, name shown

    def update(self, id_: int, time_s: float, probabilities: Probabilities) -> tuple[Probabilities, str]:
        """The mean after this reading, and the name to show; the first reading of a face is its own mean.

        So is one whose time is not after the last one's: that is another video.
        """
        before_s, mean, shown = self._faces.get(id_, (time_s, probabilities, ""))
        if time_s > before_s:
            weight = 1 - math.exp(-(time_s - before_s) / self._time_constant_s) if self._time_constant_s > 0 else 1.0
            probabilities = mean + (probabilities - mean) * np.float32(weight)
        else:
            shown = ""
            self._forget(time_s)
        shown = self.name(probabilities, shown)
        self._faces[id_] = (time_s, probabilities, shown)
        return probabilities, shown

    def name(self, probabilities: Probabilities, shown: str = "") -> str:
        """The name to show for these probabilities where `shown` was the last one, if there was one.

        A name stays until another leads by the hysteresis, or it falls below the limit; then it takes half the
        hysteresis more than the limit to be named again.
        """
        best = int(probabilities.argmax())
        if shown in self._labels:
            own = float(probabilities[self._labels.index(shown)])
            if own >= self._uncertain_below and own + self._hysteresis >= probabilities[best]:
                return shown
        limit = self._uncertain_below + (self._hysteresis / 2 if shown == UNCERTAIN else 0)
        return self._labels[best] if probabilities[best] >= limit else UNCERTAIN

    def _forget(self, now_s: float) -> None:
        """Drop the faces that nobody has seen for long: ids never come twice, so they would add up."""
        self._faces = {id_: known for id_, known in self._faces.items() if now_s - known[0] < FORGOTTEN_S}

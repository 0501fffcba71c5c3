"""What a sample of times is worth: values with their 95% interval, no outlier left out.

Times on a shared machine come in waves, so neighbours are alike, and an interval that takes them for independent is too
narrow. Here whole rounds are drawn again (block bootstrap: Kuensch 1989), each a short while in which every competitor
had its turn, and the interval is widened for the few that there are (expanded percentiles: Hesterberg 2015, "What
Teachers Should Know About the Bootstrap"). Figures for which there are too few measurements are None, shown as "-".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAWS = 1000
ROUNDS = 10  # fewer tell too little about how much they vary for an interval
BEYOND, BEYOND_FOR_INTERVAL = 5, 20  # measurements that must lie beyond a percentile for it to be one, to have one
SETTLED_OVER, SETTLED_WITHIN = 10, 0.1  # measurements in a row whose median is at most so much above the later one
NORMAL = 1.959964  # the normal distribution's 97.5% point


def percentiles(rounds: Floats, wanted: Sequence[int] = (50, 95, 99)) -> dict[str, Any]:
    """{"p50": ..., "p50_ci95": [low, high], ...} of times [rounds, times a round]; None where there are too few."""
    drawn = rounds[_draws(len(rounds))].reshape(DRAWS, -1) if len(rounds) >= ROUNDS else None
    found: dict[str, Any] = {}
    for percent in wanted:
        beyond = rounds.size * min(percent, 100 - percent) / 100
        found[f"p{percent}"] = float(np.percentile(rounds, percent)) if beyond >= BEYOND else None
        found[f"p{percent}_ci95"] = None
        if drawn is not None and beyond >= BEYOND_FOR_INTERVAL:
            found[f"p{percent}_ci95"] = _interval(np.percentile(drawn, percent, axis=1), len(rounds))
    return found


def ratio(above: Floats, below: Floats) -> dict[str, Any]:
    """{"value", "ci95"} of sum over sum, both [rounds] and measured by turns: drift of the clock hits both alike."""
    interval = None
    if len(above) >= ROUNDS:
        drawn = _draws(len(above))
        interval = _interval(above[drawn].sum(axis=1) / below[drawn].sum(axis=1), len(above))
    return {"value": float(above.sum() / below.sum()), "ci95": interval}


def median_ratio(above: Floats, below: Floats) -> dict[str, Any]:
    """{"value", "ci95"} of median over median of times [rounds, times a round], measured by turns."""
    interval = None
    if len(above) >= ROUNDS:
        drawn = _draws(len(above))
        medians = [np.median(times[drawn].reshape(DRAWS, -1), axis=1) for times in (above, below)]
        interval = _interval(medians[0] / medians[1], len(above))
    return {"value": float(np.median(above) / np.median(below)), "ci95": interval}


def settled_after(times: Sequence[float], later: float) -> int | None:
    """How many first measurements come before the first few in a row whose median is within 10% of the `later` one.

    None where they never come near it.
    """
    for start in range(len(times) - SETTLED_OVER + 1):
        if float(np.median(times[start : start + SETTLED_OVER])) <= later * (1 + SETTLED_WITHIN):
            return start
    return None


def first_to_rest(rounds: Floats) -> float:
    """Median of the first tenth of the rounds over that of the others: above 1, the warm-up was too short."""
    first = max(1, len(rounds) // 10)
    return float(np.median(rounds[:first]) / np.median(rounds[first:]))


def _draws(rounds: int) -> npt.NDArray[np.int64]:
    """Numbers of rounds [DRAWS, rounds], with replacement; the same ones each time."""
    return np.random.default_rng(0).integers(0, rounds, (DRAWS, rounds))


def _interval(values: Floats, rounds: int) -> list[float]:
    """Of drawn values: their percentiles, further out the fewer rounds there are (Student's t, and n for n - 1)."""
    z, free = NORMAL, rounds - 1
    student = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)  # Cornish and Fisher 1938
    tail = 50 * (1 + math.erf(-math.sqrt(rounds / free) * student / math.sqrt(2)))
    low, high = np.percentile(values, [tail, 100 - tail])
    return [float(low), float(high)]

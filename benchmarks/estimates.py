"""What a sample of times is worth: values with their 95% interval, no outlier left out.

Times on a shared machine come in waves, so neighbours are alike, and an interval that takes them for independent is too
narrow. Here whole rounds are drawn again (block bootstrap: Kuensch 1989), each a short while in which every competitor
had its turn. A figure for which there are too few measurements is None, and is shown as "-".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAWS = 1000
ROUNDS = 5  # fewer tell nothing about how much they vary
BEYOND = 5  # measurements that must lie beyond a percentile for it to be one
SETTLED_WITHIN = 0.05  # of the later median
SETTLED_OVER = 5  # measurements in a row


def percentiles(rounds: Floats, wanted: Sequence[int] = (50, 95, 99)) -> dict[str, Any]:
    """{"p50": ..., "p50_ci95": [low, high], ...} of times [rounds, times a round]; None where there are too few."""
    drawn = rounds[_draws(len(rounds))].reshape(DRAWS, -1) if len(rounds) >= ROUNDS else None
    found: dict[str, Any] = {}
    for percent in wanted:
        enough = rounds.size * min(percent, 100 - percent) / 100 >= BEYOND
        found[f"p{percent}"] = float(np.percentile(rounds, percent)) if enough else None
        interval = _interval(np.percentile(drawn, percent, axis=1)) if enough and drawn is not None else None
        found[f"p{percent}_ci95"] = interval
    return found


def ratio(above: Floats, below: Floats) -> dict[str, Any]:
    """{"value", "ci95"} of sum over sum, both [rounds] and measured by turns: drift of the clock hits both alike."""
    value = float(above.sum() / below.sum())
    if len(above) < ROUNDS:
        return {"value": value, "ci95": None}
    drawn = _draws(len(above))
    return {"value": value, "ci95": _interval(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))}


def median_ratio(above: Floats, below: Floats) -> dict[str, Any]:
    """{"value", "ci95"} of median over median of times [rounds, times a round], measured by turns."""
    value = float(np.median(above) / np.median(below))
    if len(above) < ROUNDS:
        return {"value": value, "ci95": None}
    drawn = _draws(len(above))
    medians = [np.median(times[drawn].reshape(DRAWS, -1), axis=1) for times in (above, below)]
    return {"value": value, "ci95": _interval(medians[0] / medians[1])}


def settled_after(times: Sequence[float], later: float) -> int | None:
    """How many first measurements are slower than the rest: those before the first few in a row whose median is near
    the `later` one, by 5%. None where they never come near it.
    """
    for start in range(len(times) - SETTLED_OVER + 1):
        if float(np.median(times[start : start + SETTLED_OVER])) <= later * (1 + SETTLED_WITHIN):
            return start
    return None


def _draws(rounds: int) -> npt.NDArray[np.int64]:
    """Numbers of rounds [DRAWS, rounds], with replacement; the same ones each time."""
    return np.random.default_rng(0).integers(0, rounds, (DRAWS, rounds))


def _interval(values: Floats) -> list[float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return [float(low), float(high)]

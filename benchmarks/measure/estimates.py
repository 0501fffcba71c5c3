"""Estimate percentiles and ratios of times, with their 95% confidence intervals; no outlier is left out.

Times on a shared machine come in waves, so neighbouring measurements are correlated, and an interval that treats them
as independent is too narrow. Whole rounds are therefore resampled (block bootstrap: Kuensch 1989), each a short while
in which every competitor had its turn, and the interval is widened to allow for the small number of rounds (expanded
percentiles: Hesterberg 2015, "What Teachers Should Know About the Bootstrap").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.results import Estimate, Interval

Samples: TypeAlias = npt.NDArray[np.float64]  # times in ms

RESAMPLES = 1000
MIN_ROUNDS = 10  # fewer say too little about their variation for an interval
MIN_BEYOND = 5  # measurements beyond a percentile, for the percentile
MIN_BEYOND_FOR_INTERVAL = 20  # and for its interval
SETTLED_WINDOW = 10  # consecutive measurements whose median decides whether times have settled
SETTLED_WITHIN = 0.1  # of the later median
NORMAL_QUANTILE = 1.959964  # 97.5% of the normal distribution


def percentile(rounds: Samples, percent: int) -> Estimate | None:
    """Return a percentile of times [rounds, times per round]; None where too few measurements lie beyond it."""
    beyond = rounds.size * min(percent, 100 - percent) / 100
    if beyond < MIN_BEYOND:
        return None
    interval = None
    if len(rounds) >= MIN_ROUNDS and beyond >= MIN_BEYOND_FOR_INTERVAL:
        resampled = rounds[_resampled_indices(len(rounds))].reshape(RESAMPLES, -1)
        interval = _interval(np.percentile(resampled, percent, axis=1), len(rounds))
    return Estimate(float(np.percentile(rounds, percent)), interval)


def ratio(numerators: Samples, denominators: Samples) -> Estimate:
    """Return sum over sum, both [rounds] and measured by turns, so that a drifting clock affects both alike."""
    interval = None
    if len(numerators) >= MIN_ROUNDS:
        indices = _resampled_indices(len(numerators))
        sums = numerators[indices].sum(axis=1) / denominators[indices].sum(axis=1)
        interval = _interval(sums, len(numerators))
    return Estimate(float(numerators.sum() / denominators.sum()), interval)


def median_ratio(numerators: Samples, denominators: Samples) -> Estimate:
    """Return median over median of times [rounds, times per round], measured by turns."""
    interval = None
    if len(numerators) >= MIN_ROUNDS:
        indices = _resampled_indices(len(numerators))
        medians = [np.median(times[indices].reshape(RESAMPLES, -1), axis=1) for times in (numerators, denominators)]
        interval = _interval(medians[0] / medians[1], len(numerators))
    return Estimate(float(np.median(numerators) / np.median(denominators)), interval)


def settled_after(times: Sequence[float], later: float) -> int | None:
    """Return how many measurements precede the first window whose median is within 10% of `later`; None if none is."""
    for start in range(len(times) - SETTLED_WINDOW + 1):
        if float(np.median(times[start : start + SETTLED_WINDOW])) <= later * (1 + SETTLED_WITHIN):
            return start
    return None


def first_to_rest(rounds: Samples) -> float:
    """Return the median of the first tenth of the rounds over that of the rest: above 1, the warm-up was too short."""
    first = max(1, len(rounds) // 10)
    return float(np.median(rounds[:first]) / np.median(rounds[first:]))


def _resampled_indices(rounds: int) -> npt.NDArray[np.int64]:
    """Return indices of rounds [RESAMPLES, rounds], drawn with replacement, the same each time."""
    return np.random.default_rng(0).integers(0, rounds, (RESAMPLES, rounds))


def _interval(values: Samples, rounds: int) -> Interval:
    """Return percentiles of resampled values, further out the fewer rounds there are (Student's t; n for n - 1)."""
    z = NORMAL_QUANTILE
    free = rounds - 1
    student = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)  # Cornish and Fisher 1938
    tail = 50 * (1 + math.erf(-math.sqrt(rounds / free) * student / math.sqrt(2)))
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)

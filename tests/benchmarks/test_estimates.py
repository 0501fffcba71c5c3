"""Test the estimates on distributions whose percentiles and ratios are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure import estimates
from benchmarks.results import Estimate, Interval

TRIALS = 100


def drifting_times(rng: np.random.Generator, rounds: int, each: int) -> np.ndarray:
    """Return times with a median of 1 and a long tail; the times of a round drift together, as on a busy machine."""
    return np.exp(rng.normal(0, 0.1, (rounds, 1)) + rng.normal(0, 0.2, (rounds, each)))


def interval(estimate: Estimate | None) -> Interval:
    assert estimate is not None
    assert estimate.ci95 is not None
    return estimate.ci95


def test_percentiles_of_a_known_distribution() -> None:
    rounds = np.arange(1001.0).reshape(11, 91)
    for percent, expected in ((50, 500.0), (95, 950.0)):
        estimate = estimates.percentile(rounds, percent)
        assert estimate is not None
        assert estimate.value == expected
        low, high = interval(estimate)
        assert low <= expected <= high
    assert estimates.percentile(rounds, 99) == Estimate(990.0, None), "ten beyond it are too few for an interval"


def test_a_percentile_with_too_few_beyond_it_is_none() -> None:
    rounds = np.ones((10, 20))
    assert estimates.percentile(rounds, 95) == Estimate(1.0, None)
    assert estimates.percentile(rounds, 99) is None


def test_too_few_rounds_have_no_interval() -> None:
    assert estimates.percentile(np.ones((9, 100)), 50) == Estimate(1.0, None)
    assert estimates.ratio(np.ones(9), np.ones(9)) == Estimate(1.0, None)


def test_no_outlier_is_left_out() -> None:
    times = np.ones((40, 20))
    times[0, :10] = 1000.0  # 10 of 800: beyond the 98.75th percentile
    p99 = estimates.percentile(times, 99)
    assert p99 is not None
    assert p99.value == 1000.0
    assert estimates.ratio(times.sum(axis=1), np.full(40, 20.0)).value == pytest.approx((790 + 10_000) / 800)


@pytest.mark.parametrize(
    ("rounds", "percent", "truth"),
    [
        (10, 50, 1.0),
        (20, 50, 1.0),
        pytest.param(50, 95, 1.4444, marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_claim(rounds: int, percent: int, truth: float) -> None:
    """Expect about 95 of 100 intervals of 95%; p95 needs the default number of rounds."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(TRIALS):
        low, high = interval(estimates.percentile(drifting_times(rng, rounds, 40), percent))
        covered += low <= truth <= high
    assert 0.90 <= covered / TRIALS <= 0.99


def test_intervals_of_ratios_cover_the_truth_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(TRIALS):
        fast, slow = (np.exp(rng.normal(0, 0.1, 10)) for _ in range(2))
        low, high = interval(estimates.ratio(2 * slow, fast))
        covered += low <= 2 <= high
    assert 0.90 <= covered / TRIALS <= 0.99


def test_treating_neighbouring_times_as_independent_would_give_too_narrow_an_interval() -> None:
    times = drifting_times(np.random.default_rng(2), 20, 20)
    low, high = interval(estimates.percentile(times, 50))
    shuffled = np.random.default_rng(3).permutation(times.ravel()).reshape(times.shape)
    low_shuffled, high_shuffled = interval(estimates.percentile(shuffled, 50))
    assert high - low > 1.5 * (high_shuffled - low_shuffled)


@pytest.mark.parametrize("median", [True, False], ids=["medians", "sums"])
def test_a_drifting_clock_does_not_affect_ratios(median: bool) -> None:
    """Give both the same drift: the ratio is known far better than either time."""
    rng = np.random.default_rng(4)
    drift = np.linspace(1, 3, 30)[:, None]
    fast = drift * (1 + 0.01 * rng.standard_normal((30, 20)))
    slow = 2 * drift * (1 + 0.01 * rng.standard_normal((30, 20)))
    ratio = estimates.median_ratio(slow, fast) if median else estimates.ratio(slow.sum(axis=1), fast.sum(axis=1))
    low, high = interval(ratio)
    assert low <= 2 <= high
    assert high - low < 0.05


@pytest.mark.parametrize(
    ("first", "needed"),
    [
        ([1.0] * 20, 0),
        ([9.0] * 4 + [1.0] * 16, 0),  # four of ten do not change a median
        ([9.0] * 10 + [1.0] * 20, 6),
        ([1.2] * 30, None),
        ([1.0] * 5, None),  # too few to decide
    ],
)
def test_the_length_of_the_warm_up(first: list[float], needed: int | None) -> None:
    assert estimates.settled_after(first, later=1.0) == needed


def test_too_short_a_warm_up_shows_in_the_first_rounds() -> None:
    times = np.ones((50, 40))
    assert estimates.first_to_rest(times) == 1.0
    times[:5] = np.linspace(1.5, 1.1, 5)[:, None]
    assert estimates.first_to_rest(times) == pytest.approx(1.3)
    times[:5, :15] = 9.0  # outliers are no warm-up
    times[:5, 15:] = 1.0
    assert estimates.first_to_rest(times) == 1.0


def test_the_same_times_have_the_same_interval() -> None:
    times = drifting_times(np.random.default_rng(5), 10, 20)
    assert estimates.percentile(times, 50) == estimates.percentile(times, 50)

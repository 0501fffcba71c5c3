"""The statistics, fed with distributions whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measure import estimates

TRIALS = 200


def waves(rng: np.random.Generator, rounds: int, each: int) -> np.ndarray:
    """Times with a median of 1 and a long tail, whose rounds drift together as those of a busy machine do."""
    return np.exp(rng.normal(0, 0.1, (rounds, 1)) + rng.normal(0, 0.2, (rounds, each)))


def test_percentiles_of_a_known_distribution() -> None:
    found = estimates.percentiles(np.arange(1001.0).reshape(11, 91))
    assert (found["p50"], found["p95"], found["p99"]) == (500.0, 950.0, 990.0)
    assert found["p99_ci95"] is None, "ten beyond it tell where it is, and not how sure"
    for name in ("p50", "p95"):
        low, high = found[f"{name}_ci95"]
        assert low <= found[name] <= high


def test_a_percentile_with_too_few_beyond_it_is_not_given() -> None:
    found = estimates.percentiles(np.ones((10, 20)))
    assert found["p95"] == 1.0
    assert found["p99"] is None
    assert found["p99_ci95"] is None


def test_too_few_rounds_have_no_interval() -> None:
    assert estimates.percentiles(np.ones((9, 100)))["p50_ci95"] is None
    assert estimates.ratio(np.ones(9), np.ones(9)) == {"value": 1.0, "ci95": None}


def test_no_outlier_is_left_out() -> None:
    times = np.ones((40, 20))
    times[0, :10] = 1000.0  # 10 of 800: beyond the 98.75th percentile
    assert estimates.percentiles(times)["p99"] == 1000.0
    assert estimates.ratio(times.sum(axis=1), np.full(40, 20.0))["value"] == pytest.approx((790 + 10_000) / 800)


@pytest.mark.parametrize(
    ("rounds", "percent", "truth"), [(10, 50, 1.0), (20, 50, 1.0), (50, 50, 1.0), (50, 95, 1.4444)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(rounds: int, percent: int, truth: float) -> None:
    """Of 200 intervals of 95%, 190 are expected to; p95 needs as many rounds as are the default."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(TRIALS):
        low, high = estimates.percentiles(waves(rng, rounds, 40), (percent,))[f"p{percent}_ci95"]
        held += low <= truth <= high
    assert 0.90 <= held / TRIALS <= 0.99


def test_intervals_of_ratios_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(TRIALS):
        fast, slow = (np.exp(rng.normal(0, 0.1, 10)) for _ in range(2))
        low, high = estimates.ratio(2 * slow, fast)["ci95"]
        held += low <= 2 <= high
    assert 0.90 <= held / TRIALS <= 0.99


def test_an_interval_that_took_neighbours_for_independent_would_be_too_narrow() -> None:
    times = waves(np.random.default_rng(2), 20, 20)
    low, high = estimates.percentiles(times)["p50_ci95"]
    shuffled = np.random.default_rng(3).permutation(times.ravel()).reshape(times.shape)
    low_shuffled, high_shuffled = estimates.percentiles(shuffled)["p50_ci95"]
    assert high - low > 1.5 * (high_shuffled - low_shuffled)


@pytest.mark.parametrize("median", [True, False], ids=["medians", "sums"])
def test_ratios_do_not_mind_a_clock_that_drifts(median: bool) -> None:
    """Two that share every wave: the ratio is known far better than either time."""
    rng = np.random.default_rng(4)
    drift = np.linspace(1, 3, 30)[:, None]
    fast = drift * (1 + 0.01 * rng.standard_normal((30, 20)))
    slow = 2 * drift * (1 + 0.01 * rng.standard_normal((30, 20)))
    found = estimates.median_ratio(slow, fast) if median else estimates.ratio(slow.sum(axis=1), fast.sum(axis=1))
    low, high = found["ci95"]
    assert low <= 2 <= high
    assert high - low < 0.05


@pytest.mark.parametrize(
    ("first", "needed"),
    [
        ([1.0] * 20, 0),
        ([9.0] * 4 + [1.0] * 16, 0),  # four of ten do not move a median
        ([9.0] * 10 + [1.0] * 20, 6),
        ([1.2] * 30, None),
        ([1.0] * 5, None),  # too few to tell
    ],
)
def test_how_many_inferences_warm_up(first: list[float], needed: int | None) -> None:
    assert estimates.settled_after(first, later=1.0) == needed


def test_a_warm_up_that_was_too_short_shows_in_the_first_rounds() -> None:
    times = np.ones((50, 40))
    assert estimates.first_to_rest(times) == 1.0
    times[:5] = np.linspace(1.5, 1.1, 5)[:, None]
    assert estimates.first_to_rest(times) == pytest.approx(1.3)
    times[:5, :15] = 9.0  # outliers are no warm-up
    times[:5, 15:] = 1.0
    assert estimates.first_to_rest(times) == 1.0


def test_the_same_times_have_the_same_interval() -> None:
    times = waves(np.random.default_rng(5), 10, 20)
    assert estimates.percentiles(times) == estimates.percentiles(times)

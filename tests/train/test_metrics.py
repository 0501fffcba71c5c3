from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from train.metrics import mcnemar, report, wilson


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [(50, 100, 0.4038, 0.5962), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (2484, 3579, 0.6787, 0.7090)],
)
def test_wilson_against_published_values(correct: int, total: int, low: float, high: float) -> None:
    assert wilson(correct, total) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("correct", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="correct"):
        wilson(correct, total)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    intervals = [wilson(int(correct), 200) for correct in rng.binomial(200, 0.7, 2000)]
    assert np.mean([low <= 0.7 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_report_of_a_known_confusion() -> None:
    labels = np.array([0, 0, 0, 3, 3, 6])
    predicted = np.array([0, 0, 3, 3, 3, 6])
    result = report(labels, np.eye(7, dtype=np.float32)[predicted])
    assert result["accuracy"] == pytest.approx(5 / 6)
    assert result["per_class"]["angry"]["recall"] == pytest.approx(2 / 3)
    assert result["per_class"]["happy"]["precision"] == pytest.approx(2 / 3)
    assert result["confusion"][0] == [2, 0, 0, 1, 0, 0, 0]


def test_metrics_are_those_of_scikit_learn() -> None:
    """Use coarse probabilities, so that many are equal, and a class that is never predicted."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 200)
    probabilities = rng.integers(0, 5, (200, 7)).astype(np.float32)
    probabilities[:, 5] = 0
    result = report(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(7), zero_division=0)
    for i, row in enumerate(result["per_class"].values()):
        measures = (row["precision"], row["recall"], row["f1"], row["faces"])
        assert measures == ((None, None, None, 0) if i == 6 else pytest.approx([values[i] for values in expected]))
        assert row["auc"] == (None if i == 6 else pytest.approx(roc_auc_score(labels == i, probabilities[:, i])))
    assert result["confusion"] == confusion_matrix(labels, predicted, labels=range(7)).tolist()
    assert result["macro_f1"] == pytest.approx(expected[2][:6].mean())


def test_mcnemar_of_a_million_faces_is_quick_and_that_of_scipy() -> None:
    right = np.arange(1_000_000) < 10_100
    other = np.arange(1_000_000) >= 1_000_000 - 9_900
    assert mcnemar(right, other) == pytest.approx(binomtest(10_100, 20_000).pvalue, rel=1e-6)


@pytest.mark.parametrize(
    ("gained", "lost", "p", "why"),
    [
        (0, 0, 1.0, "no difference"),
        (5, 5, 1.0, "balanced"),
        (10, 0, 2 / 2**10, "all one way"),
        (1, 8, 20 / 2**9, "by hand"),
    ],
)
def test_mcnemar_is_exact(gained: int, lost: int, p: float, why: str) -> None:
    right = np.array([True] * gained + [False] * lost + [True, False])
    other = np.array([False] * gained + [True] * lost + [True, False])
    assert mcnemar(right, other) == pytest.approx(p), why

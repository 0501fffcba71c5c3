"""Compute metrics of predicted probabilities. Free of Keras: the benchmarks use it on a Raspberry Pi as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.labels import EMOTIONS
from edge.values import Floats

CALIBRATION_BINS = 10
LEAST_PROBABILITY = 1e-7  # logarithms are taken of no less


def wilson(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95% interval of a proportion (Wilson 1927), which holds near 0 and 1 and for small counts.

    Raises ValueError unless 0 <= correct <= total and total > 0.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"expected 0 <= correct <= total and total > 0, found {correct} of {total}")
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return centre - half, centre + half


def mcnemar(correct: npt.NDArray[np.bool_], other_correct: npt.NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of two models having the same accuracy (McNemar 1947).

    Both arguments are bool [n], for the same faces. Only faces that exactly one model has right count.
    """
    gained = int((correct & ~other_correct).sum())
    lost = int((~correct & other_correct).sum())
    changed = gained + lost
    return min(1.0, 2 * sum(_binomial(count, changed) for count in range(min(gained, lost) + 1)))


def _binomial(count: int, total: int) -> float:
    """Return the probability of so many heads in `total` throws of a coin."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return math.exp(ways - total * math.log(2))


def calibration_error(outcomes: npt.NDArray[np.bool_] | Floats, confidences: Floats) -> float:
    """Return the expected calibration error: |outcome - confidence| averaged over ten equal bins (Naeini et al. 2015).

    `outcomes` [n] are bool (correct or not) or the shares 0..1 of the annotators who voted for the predicted emotion;
    `confidences` [n] are 0..1. 0 is perfect.
    """
    bins = confidence_bins(confidences)
    gaps = np.bincount(bins, weights=outcomes.astype(float) - confidences, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(outcomes))


def confidence_bins(confidences: Floats) -> npt.NDArray[np.int64]:
    """Return the bins, 0 to CALIBRATION_BINS - 1, of confidences 0..1 [n]."""
    return np.clip((confidences * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)


def recalls(
    labels: npt.NDArray[np.int64], predictions: npt.NDArray[np.int64], classes: int = len(EMOTIONS)
) -> npt.NDArray[np.float64]:
    """Return the recall of each class, float64 [classes]; NaN for one without faces. Both arrays are [n]."""
    counts = np.bincount(labels, minlength=classes)
    correct = np.bincount(labels[labels == predictions], minlength=classes)
    return np.divide(correct, counts, out=np.full(classes, np.nan), where=counts > 0)


def cross_entropy(targets: Floats, probabilities: Floats) -> float:
    """Return the mean over n faces of -sum(targets * log(probabilities)); both are [n, classes]."""
    logarithms = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))
    return float(-(targets * logarithms).sum(axis=1).mean())


def auc(positive: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Return the area under the ROC curve: how often a positive has the higher score (Hanley and McNeil 1982).

    `positive` bool [n] has both values; `scores` are [n]. Equal scores count half.
    """
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    positives = int(positive.sum())
    smallest = positives * (positives + 1) / 2  # sum of their ranks if they had the lowest scores
    return float((ranks[inverse][positive].sum() - smallest) / (positives * (len(positive) - positives)))


def report(labels: npt.NDArray[np.int64], probabilities: Floats, classes: Sequence[str] = EMOTIONS) -> dict[str, Any]:
    """Return accuracy with its 95% interval, macro F1, calibration error, metrics by class, and the confusion matrix.

    `labels` is [n], `probabilities` [n, classes]. Rows of the confusion matrix are the true classes. A class without
    faces has no metrics, and does not count in macro F1.
    """
    predictions = probabilities.argmax(axis=1)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (labels, predictions), 1)
    count, predicted, hits = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    correct = int(hits.sum())
    precision, recall, f1 = (hits / np.maximum(total, 1) for total in (predicted, count, (predicted + count) / 2))
    return {
        "faces": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_ci95": list(wilson(correct, len(labels))),
        "macro_f1": float(f1[count > 0].mean()),
        "calibration_error": calibration_error(predictions == labels, probabilities.max(axis=1)),
        "per_class": {
            emotion: {
                "precision": float(precision[i]) if count[i] else None,
                "recall": float(recall[i]) if count[i] else None,
                "f1": float(f1[i]) if count[i] else None,
                "auc": auc(labels == i, probabilities[:, i]) if 0 < count[i] < len(labels) else None,
                "faces": int(count[i]),
            }
            for i, emotion in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }

"""What probabilities are worth against labels. No Keras here: benchmarks uses it on a Pi as well."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.labels import EMOTIONS
from edge.values import Floats
from train.extras import require

CALIBRATION_BINS = 10


def wilson(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927): holds near 0 and 1 and for small counts, where +-1.96 sigma does not."""
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"expected 0 <= correct <= total and total > 0, found {correct} of {total}")
    share = correct / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return centre - half, centre + half


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> float:
    """Exact two-sided p that two models which differ only by chance differ this much (McNemar 1947).

    Only the faces that one model has right and the other wrong count; bool [n] each.
    """
    require("sklearn", "scikit-learn", "report")
    from scipy.stats import binomtest  # scikit-learn brings it

    gained, lost = int((right & ~other_right).sum()), int((~right & other_right).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def calibration_error(right: npt.NDArray[np.bool_], confidence: Floats) -> float:
    """Expected calibration error: how far confidence is from accuracy, in ten bins as wide as each other, weighted.

    `right` and `confidence` (0..1) are [n]. Naeini et al. 2015; 0 is perfect.
    """
    bins = confidence_bins(confidence)
    apart = np.bincount(bins, weights=right.astype(float) - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(apart).sum() / len(right))


def confidence_bins(confidence: Floats) -> npt.NDArray[np.int64]:
    """Numbers of the bins, 0 to CALIBRATION_BINS - 1, of confidences 0..1 [n]."""
    return np.clip((confidence * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)


def report(labels: npt.NDArray[np.int64], probabilities: Floats) -> dict[str, Any]:
    """Accuracy with its 95% interval, macro F1, calibration error, per-emotion scores and the confusion matrix.

    `labels` is [n], `probabilities` [n, 7]; rows of the confusion matrix are the true emotions.
    """
    require("sklearn", "scikit-learn", "report")
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == labels).sum())
    classes = list(range(len(EMOTIONS)))
    precision, recall, f1, count = precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0)
    return {
        "faces": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_ci95": list(wilson(correct, len(labels))),
        "macro_f1": float(f1.mean()),
        "calibration_error": calibration_error(predicted == labels, probabilities.max(axis=1)),
        "per_class": {
            emotion: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "auc": float(roc_auc_score(labels == i, probabilities[:, i])) if 0 < count[i] < len(labels) else None,
                "faces": int(count[i]),
            }
            for i, emotion in enumerate(EMOTIONS)
        },
        "confusion": confusion_matrix(labels, predicted, labels=classes).tolist(),
    }

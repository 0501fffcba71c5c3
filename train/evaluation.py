"""Evaluate predictions against labels and against annotators' votes: the contents of metrics.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Probabilities
from train.data import FaceSet, seen_in
from train.duplicates import copied_across, copied_from
from train.metrics import calibration_error, recalls, report, wilson
from train.votes import Votes, votes_of


def evaluate_predictions(
    faces: FaceSet,
    probabilities: Probabilities,
    training: FaceSet | None,
    soft_labels: Path | None = None,
    folds: npt.NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Return the metrics of probabilities [n, classes] on n faces.

    With training faces, the same again without the faces that are in training too: pixel for pixel
    (`not_in_training`), or exactly or nearly (`not_nearly_in_training`). With a table of votes, each has `votes` too.
    Faces that were tested by folds [n] have the other folds as training faces.
    """
    votes = None
    if soft_labels is not None:
        check_vote_classes(faces.classes)
        votes = votes_of(faces.names, faces.labels, soft_labels)
    result = {"split": faces.split, **_evaluate(faces, probabilities, votes, np.ones(len(faces), dtype=bool))}
    duplicates = {}
    if training is not None:
        duplicates["not_in_training"] = seen_in(faces, training)
        duplicates["not_nearly_in_training"] = copied_from(faces, training)
    elif folds is not None:
        duplicates["not_nearly_in_training"] = copied_across(faces, folds)
    for name, duplicate in duplicates.items():
        if not duplicate.all():
            result[name] = _evaluate(faces, probabilities, votes, ~duplicate)
    return result


def _evaluate(
    faces: FaceSet, probabilities: Probabilities, votes: Votes | None, kept: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the metrics on the kept faces; against the votes too, unless none of them has a clear majority."""
    result = report(faces.labels[kept], probabilities[kept], faces.classes)
    own = None if votes is None else Votes(votes.counts[kept])
    if own is not None and (kept.all() or own.clear().any()):
        result["votes"] = evaluate_on_votes(own, probabilities[kept])
    return result


def check_vote_classes(classes: tuple[str, ...]) -> None:
    """Raise DataError unless a model of these classes can be compared with votes."""
    if classes != EMOTIONS:
        raise DataError(f"expected a model of {', '.join(EMOTIONS)} with votes, found {', '.join(classes)}")


def evaluate_on_votes(votes: Votes, probabilities: Probabilities) -> dict[str, Any]:
    """Return the metrics of probabilities [n, 7] against the votes on the same faces.

    Accuracy and recall are on clear majorities (train.votes). The calibration error compares confidence with the share
    of votes for the predicted emotion, on all faces with votes for an emotion. Raises DataError without a clear one.
    """
    clear = votes.clear()
    if not clear.any():
        raise DataError("expected clear majorities in the table of votes, found none on these faces")
    predictions = probabilities.argmax(axis=1)
    labels = votes.majority()
    correct = int((predictions[clear] == labels[clear]).sum())
    recall = recalls(labels[clear], predictions[clear])
    counts = np.bincount(labels[clear], minlength=len(EMOTIONS))
    usable = votes.usable()
    shares = np.take_along_axis(votes.shares(), predictions[:, None], axis=1)[:, 0]
    return {
        "faces": int(usable.sum()),
        "clear_faces": int(clear.sum()),
        "accuracy": correct / int(clear.sum()),
        "accuracy_ci95": list(wilson(correct, int(clear.sum()))),
        "mean_recall": float(np.nanmean(recall)),
        "calibration_error": calibration_error(shares[usable], probabilities.max(axis=1)[usable]),
        "per_class": {
            emotion: {"recall": float(recall[i]) if counts[i] else None, "faces": int(counts[i])}
            for i, emotion in enumerate(EMOTIONS)
        },
    }


def summarize_votes(votes: dict[str, Any]) -> str:
    """Return one line on the metrics against votes, as evaluate_on_votes returns them."""
    low, high = votes["accuracy_ci95"]
    return (
        f"votes: accuracy {votes['accuracy']:.2%} (95%: {low:.1%} to {high:.1%}) on {votes['clear_faces']} clear "
        f"majorities, mean recall {votes['mean_recall']:.3f}, calibration error {votes['calibration_error']:.3f}"
    )

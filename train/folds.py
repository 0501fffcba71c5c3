"""Measure a small data set by cross-validation: train one run a fold, each tested on the faces that it has not seen.

A held-out tenth of 70 faces would be seven. With folds every face is tested once. Nothing is chosen by the folds: each
run ends after the same number of epochs, as the run on all faces does, so the accuracy is not too good.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.values import Probabilities
from train.data import FOLD_COUNT, FaceSet, stratified_folds
from train.fit import fit
from train.predict import predict
from train.recipe import Recipe
from train.runs import read_arrays, read_history, write_arrays
from train.workers import Team

PREDICTIONS = "predictions.npz"  # written when a fold is finished


def cross_validate(
    faces: FaceSet, recipe: Recipe, folder: Path, team: Team, verbose: int = 1
) -> tuple[Probabilities, list[dict[str, float]]]:
    """Train the folds and return each face's probabilities [n, classes], and the mean of the folds' measures by epoch.

    Each fold is a run in a subfolder of `folder`, whose models are deleted at its end. A resumed run keeps the folds
    that are finished.
    """
    folds = stratified_folds(faces)
    probabilities = np.zeros((len(faces), len(faces.classes)), dtype=np.float32)
    histories = []
    for number in range(FOLD_COUNT):
        own = folder / f"fold-{number + 1}"
        tested = np.flatnonzero(folds == number)
        if len(tested) == 0:  # of fewer faces than folds
            continue
        if not (own / PREDICTIONS).exists():
            print(f"fold {number + 1} of {FOLD_COUNT}: {len(faces) - len(tested)} faces, tested on {len(tested)}")
            _train_fold(faces, folds == number, recipe, own, team, verbose)
        (probabilities[tested],) = read_arrays(own / PREDICTIONS)
        histories.append(read_history(own))
    return probabilities, mean_measures(histories)


def _train_fold(faces: FaceSet, is_tested: np.ndarray, recipe: Recipe, folder: Path, team: Team, verbose: int) -> None:
    tested = faces.take(np.flatnonzero(is_tested))
    fit(faces.take(np.flatnonzero(~is_tested)), tested, recipe, folder, team, verbose)
    predictions = predict(folder / "model.keras", tested.images, classes=recipe.classes)
    write_arrays(folder / PREDICTIONS, [predictions])
    for file in [*folder.glob("*.keras"), *folder.glob("checkpoint-*.npz")]:
        file.unlink()


def mean_measures(histories: Sequence[Sequence[dict[str, float]]]) -> list[dict[str, float]]:
    """Return the mean of the validation measures over several histories, one row an epoch."""
    return [
        {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name.startswith("val_")}
        for rows in zip(*histories, strict=True)
    ]

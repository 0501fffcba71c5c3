"""Tabulate the metrics of runs and evaluations, and name them in titles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from train.data import FOLD_COUNT, FOLDS, HELD_OUT
from train.provenance import FER2013
from train.tables import Cell, Number, Table, code

TABLES = ("results", "classes")  # of one evaluation
# Part of metrics.json -> its row in the table of results.
SUBSETS = {
    "not_in_training": "not in training (pixel for pixel)",
    "not_nearly_in_training": "not in training (exactly or nearly)",
    "with_flip": "all, mean with the mirror image",
}
FER2013_SPLITS = {"train": "Training", "public": "PublicTest", "private": "PrivateTest", "test": "both tests"}
OTHER_SPLITS = {HELD_OUT: "held-out tenth of training", FOLDS: f"{FOLD_COUNT} folds"}


def subject(metrics: Mapping[str, Any]) -> str:
    """Return model, data set, split and number of faces."""
    where = f"{metrics['data_set']}, {split_name(metrics['data_set'], metrics['split'])}"
    return f"{model_name(Path(metrics['model']))} on {where}, {metrics['faces']:,} faces"


def split_name(data_set: str, split: str) -> str:
    """Return what a split is called by the data set's authors, if they are known, or in words."""
    named = FER2013_SPLITS.get(split) if data_set == FER2013 else None
    return named or OTHER_SPLITS.get(split) or f"split {split}"


def model_name(path: Path) -> str:
    """Return the name of a model file; model.keras and such go by their run's folder."""
    return path.absolute().parent.name if path.stem == "model" else path.name


def tables(metrics: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables of an evaluation, by name."""
    return {"results": _results(metrics), "classes": _classes(metrics["per_class"])}


def _results(metrics: Mapping[str, Any]) -> Table:
    """Return one row per set of faces that the model was judged on."""
    path = Path(metrics["model"])
    megabytes = Number(path.stat().st_size / 1e6 if path.is_file() else None, ".2f")
    split = split_name(metrics["data_set"], metrics["split"])
    subsets = {"all": metrics, **{label: metrics[key] for key, label in SUBSETS.items() if key in metrics}}
    for label, own in list(subsets.items()):
        if "votes" in own:
            subsets[f"clear majorities of the votes, {label}"] = own["votes"] | {"faces": own["votes"]["clear_faces"]}
    rows = [
        [code(model_name(path)), megabytes, metrics["data_set"], split, label, Number(own["faces"]), *_measures(own)]
        for label, own in subsets.items()
    ]
    head = ["model", "size MB", "data set", "split", "faces", "number", "accuracy (95%)", "macro F1"]
    return Table([*head, "calibration error"], rows)


def _measures(metrics: Mapping[str, Any]) -> list[Number]:
    low, high = metrics["accuracy_ci95"]
    accuracy = Number(metrics["accuracy"], ".2%", (low, high))
    return [accuracy, Number(metrics.get("macro_f1"), ".3f"), Number(metrics["calibration_error"], ".3f")]


def _classes(per_class: Mapping[str, Mapping[str, Any]]) -> Table:
    head = ["class", "faces", "precision", "recall", "F1", "AUC"]
    rows: list[list[Cell]] = [
        [name, Number(row["faces"]), *(Number(row[key], ".3f") for key in ("precision", "recall", "f1", "auc"))]
        for name, row in per_class.items()
    ]
    return Table(head, rows)


def seeds(metrics: Mapping[int, Mapping[str, Any]]) -> Table:
    """Return one row per seed, then mean and sample standard deviation; the metrics are of the same faces."""
    rows = np.array([_seed_measures(own) for own in metrics.values()], dtype=float)
    named = {**dict(zip(map(str, metrics), rows, strict=True)), "mean": rows.mean(axis=0)}
    named["standard deviation"] = deviation(rows)
    head = ["seed", "n", "accuracy", "macro F1", "calibration error"]
    head += (
        [f"{name} (votes)" for name in ("accuracy", "mean recall", "calibration error")] if rows.shape[1] > 3 else []
    )
    return Table(
        head,
        [
            [name, Number(1 if name.isdigit() else len(rows)), *(Number(float(value), ".4f") for value in row)]
            for name, row in named.items()
        ],
    )


def _seed_measures(metrics: Mapping[str, Any]) -> list[float]:
    votes = metrics.get("votes", {})
    return [
        *(metrics[name] for name in ("accuracy", "macro_f1", "calibration_error")),
        *(votes[name] for name in ("accuracy", "mean_recall", "calibration_error") if votes),
    ]


def deviation(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sample standard deviation over the first axis (n - 1)."""
    return np.std(values, axis=0, ddof=1)

"""Evaluate a model file of any format on a split.

python -m train.evaluate --model runs/NAME/model.keras --data data/fer2013 --out report
python -m train.evaluate --model edge/models/emotion_int8.tflite --data data/fer2013 --split private --out report
python -m train.evaluate --model runs/NAME/model.keras --soft-labels ferplus.csv --out report
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from edge.arguments import ArgumentParser
from edge.backend import model_path
from edge.errors import OutputError, exit_status
from edge.files import check_writable, write_json
from edge.values import Probabilities
from train import plots, results, tables
from train.data import DATA, HELD_OUT, SPLITS, FaceSet, load, split_of, train_val_split
from train.evaluation import evaluate_predictions, summarize_votes
from train.extras import require_reports
from train.figures import figure_files
from train.held_out import print_caveat
from train.options import add_classes
from train.predict import classes_of, is_keras, predict
from train.progress import progress
from train.provenance import data_set
from train.recipe import recipe_of
from train.runs import is_run
from train.store import Mirrored

PLOTS = {
    "confusion": lambda labels, probabilities, result, path: plots.confusion(result, path),
    "roc": plots.roc,
    "calibration": plots.reliability,
}
DEFAULT_SPLITS = ("public", "test", "train")  # the first one that the data set has is evaluated
WARNINGS = {
    "train": "there is no test split: the model may have been trained on these faces",
    "test": "these are all test faces (of FER-2013, PublicTest and PrivateTest); do not choose models by them",
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.evaluate", __doc__)
    parser.add_argument("--model", type=model_path, required=True, help=".keras, .tflite or .onnx file")
    parser.add_argument("--data", type=Path, default=DATA, help="data set")
    add_classes(parser)
    parser.add_argument(
        "--split",
        choices=(*SPLITS, HELD_OUT),
        help="faces to evaluate on; if not given, public, test or, of a folder of your own, all",
    )
    parser.add_argument(
        "--soft-labels", type=Path, metavar="CSV", help="table of annotators' votes to evaluate against as well"
    )
    parser.add_argument(
        "--flip", action="store_true", help="report the mean prediction of each face and its mirror image as well"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json, tables and plots")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: evaluate(**vars(args)))


def evaluate(
    model: Path,
    data: Path,
    out: Path,
    split: str | None = None,
    soft_labels: Path | None = None,
    flip: bool = False,
    labels: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
) -> int:
    """Write metrics.json, tables and plots to the folder `out`, and print a summary.

    The faces may lack some of the model's classes, but have no others.
    """
    if is_run(out):
        raise OutputError(f"{out} is a training run with metrics of its own; choose another --out")
    require_reports()
    figures = [file for name in PLOTS for file in figure_files(out / name)]
    for file in [out / "metrics.json", *figures, *tables.table_files(out, results.TABLES)]:
        check_writable(file)
    classes = classes_of(model)
    faces, training = _faces(data, split, labels, ignore)
    faces = faces.of_classes(classes)
    with progress() as stage:
        probabilities = predict(model, faces.images, stage("evaluate", len(faces)), classes)
    result: dict[str, Any] = {"model": str(model), "data_set": data_set(faces.names, data)[0]}
    result |= evaluate_predictions(faces, probabilities, training, soft_labels)
    if flip:
        with progress() as stage:
            flipped = predict(model, Mirrored(faces.images), stage("mirrored", len(faces)), classes)
        mean: Probabilities = (probabilities + flipped) / np.float32(2)
        result["with_flip"] = evaluate_predictions(faces, mean, None, soft_labels)
    for name, plot in PLOTS.items():
        plot(faces.labels, probabilities, result, out / name)
    tables.write_tables(out, results.tables(result))
    write_json(out / "metrics.json", result)
    if split is None and faces.split in WARNINGS:
        print(WARNINGS[faces.split])
    if split == HELD_OUT and is_keras(model) and training is not None:
        print_caveat([recipe_of(model)], training, faces)
    _print_summary(result)
    return 0


def _faces(
    data: Path, split: str | None, labels: tuple[str, ...], ignore: tuple[str, ...]
) -> tuple[FaceSet, FaceSet | None]:
    """Return the faces of the split, and the training faces if there are others."""
    if split == HELD_OUT:
        training, faces = train_val_split(load(data, ("train",), labels=labels, ignore=ignore, checked=True), data)
        return faces, training
    splits = load(data, ("train", split) if split else DEFAULT_SPLITS, labels=labels, ignore=ignore, checked=True)
    name = split or next((name for name in DEFAULT_SPLITS if name in splits), "public")
    return split_of(splits, name, data), splits.get("train") if name != "train" else None


def _print_summary(result: dict[str, Any]) -> None:
    low, high = result["accuracy_ci95"]
    print(
        f"{result['split']}: {result['faces']} faces, accuracy {result['accuracy']:.2%} (95%: {low:.1%} to {high:.1%})"
    )
    for emotion, row in result["per_class"].items():
        print(f"  {emotion:<9} " + ("no faces" if row["recall"] is None else f"recall {row['recall']:.1%}"))
    subsets = {label: result[name] for name, label in results.SUBSETS.items() if name in result}
    for label, own in subsets.items():
        print(f"{label}: {own['accuracy']:.2%} of {own['faces']}")
    if "votes" in result:
        print(summarize_votes(result["votes"]))
        for emotion, row in result["votes"]["per_class"].items():
            recall = "no clear majority" if row["recall"] is None else f"recall {row['recall']:.1%}"
            print(f"  {emotion:<9} {recall} of {row['faces']}")
        for label, own in subsets.items():
            if "votes" in own:
                print(f"{label}: {summarize_votes(own['votes'])}")


if __name__ == "__main__":
    raise SystemExit(main())

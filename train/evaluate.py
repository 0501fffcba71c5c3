"""Judge a model file, of any format, on a split.

python -m train.evaluate --model runs/NAME/model.keras --data data/fer2013 --out report
python -m train.evaluate --model edge/models/emotion_int8.tflite --data data/fer2013 --split private --out report
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.arguments import ArgumentParser
from edge.errors import OutputError, exit_status
from edge.files import check_writable, write_json
from edge.values import Probabilities
from train import plots
from train.data import SPLITS, FaceSet, load, seen_in, split_of
from train.duplicates import copied
from train.extras import require
from train.metrics import report
from train.predict import predict
from train.progress import progress
from train.runs import is_run

if TYPE_CHECKING:
    pass

PICTURES = {
    "confusion.png": lambda labels, probabilities, result, path: plots.confusion(result, path),
    "roc.png": plots.roc,
    "calibration.png": plots.reliability,
}
WHAT = {
    "train": "no test split is there: these may be faces that the model learnt from",
    "test": "names do not tell PublicTest from PrivateTest here: both are judged; do not choose by this",
}
UNASKED = ("public", "test", "train")  # what is judged where no split is named: the first that is there


def judge(faces: FaceSet, probabilities: Probabilities, learnt: FaceSet | None) -> dict[str, Any]:
    """The report on these faces and, apart, on those that are not among the `learnt`: pixel for pixel, or nearly."""
    result = {"split": faces.split, **report(faces.labels, probabilities)}
    if learnt is not None:
        known = {"not_in_training": seen_in(faces, learnt), "not_nearly_in_training": copied(faces, learnt)}
        for name, seen in known.items():
            if not seen.all():
                result[name] = report(faces.labels[~seen], probabilities[~seen])
    return result


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.evaluate", __doc__)
    parser.add_argument("--model", type=Path, required=True, help=".keras, .tflite or .onnx file")
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="data set")
    parser.add_argument(
        "--split", choices=SPLITS, help="which part; if not given, public, test or, of a folder of one's own, all"
    )
    parser.add_argument(
        "--flip", action="store_true", help="and, apart, with the mean of what each face and its mirror image give"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for metrics.json and the pictures")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: evaluate(args))


def evaluate(args: argparse.Namespace) -> int:
    if is_run(args.out):
        raise OutputError(f"{args.out} is a training run with metrics of its own; choose another --out")
    require("matplotlib", "matplotlib", "train")
    for name in ("metrics.json", *PICTURES):
        check_writable(args.out / name)
    faces = load(args.data, ("train", args.split) if args.split else UNASKED)
    split = args.split or next((name for name in UNASKED if name in faces), "public")
    judged = split_of(faces, split, args.data)
    with progress() as stage:
        probabilities = predict(args.model, judged.images, stage("evaluate", len(judged)))
    result = judge(judged, probabilities, faces.get("train") if split != "train" else None)
    if args.flip:
        with progress() as stage:
            mirrored = np.ascontiguousarray(judged.images[:, :, ::-1])
            flipped = predict(args.model, mirrored, stage("mirrored", len(judged)))
        result["with_flip"] = report(judged.labels, np.mean([probabilities, flipped], axis=0, dtype=np.float32))
    for name, draw in PICTURES.items():
        draw(judged.labels, probabilities, result, args.out / name)
    write_json(args.out / "metrics.json", {"model": str(args.model), **result})
    low, high = result["accuracy_ci95"]
    if split != args.split and split in WHAT:
        print(WHAT[split])
    print(f"{split}: {result['faces']} faces, accuracy {result['accuracy']:.2%} (95%: {low:.1%} to {high:.1%})")
    print(
        "".join(f"  {emotion:<9} recall {row['recall']:.1%}\n" for emotion, row in result["per_class"].items()), end=""
    )
    for name, how in (("not_in_training", "pixel for pixel"), ("not_nearly_in_training", "exactly or nearly")):
        if name in result:
            apart = result[name]
            print(f"without those that are {how} in training too: {apart['accuracy']:.2%} of {apart['faces']}")
    if "with_flip" in result:
        print(f"with the mean over each face and its mirror image: {result['with_flip']['accuracy']:.2%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Train a facial-emotion classifier.

python -m train --data data/fer2013
python -m train --data data/fer2013 --weights mobilenet_v2_no_top.weights.h5 --out runs/mine
python -m train --resume --out runs/mine
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from edge.arguments import ArgumentParser, fraction, positive, share, whole
from edge.errors import OutputError, UsageError, exit_status
from edge.files import write_json
from train.extras import require, require_keras
from train.runs import Recipe


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train", __doc__)
    parser.add_argument("--data", default="data/fer2013", help="folder of faces, or fer2013.csv")
    parser.add_argument(
        "--strict", action="store_true", help="end at a damaged picture or row, where else it is skipped"
    )
    parser.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="leave out training faces that are test faces too, or nearly so",
    )
    network = parser.add_argument_group("network")
    network.add_argument("--arch", default=Recipe.arch, help="mobilenet_v2, mobilenet, resnet50_v2, vgg16 or cnn")
    network.add_argument("--size", type=whole(32, 1024), default=Recipe.size, help="input side in pixels")
    network.add_argument(
        "--weights",
        default=Recipe.weights,
        help="imagenet, none, a no-top weights file, or a .keras model of the same network to go on from",
    )
    network.add_argument("--width", type=positive, default=Recipe.width, help="share of the filters; of the mobilenets")
    network.add_argument(
        "--head", choices=["pooled", "flatten"], default=Recipe.head, help="what becomes of the last map"
    )
    network.add_argument("--dense", type=whole(0), default=Recipe.dense, help="hidden units of the head, 0 for none")
    network.add_argument("--dropout", type=fraction, default=Recipe.dropout, help="before the last layer")
    schedule = parser.add_argument_group("schedule")
    schedule.add_argument("--epochs", type=whole(1), default=Recipe.epochs, help="in all, the head's included")
    schedule.add_argument(
        "--head-epochs", type=whole(0), default=Recipe.head_epochs, help="of these, on a frozen backbone"
    )
    schedule.add_argument("--batch", type=whole(1), default=Recipe.batch, help="faces a step")
    schedule.add_argument("--rate", type=positive, default=Recipe.rate, help="highest learning rate")
    schedule.add_argument("--final-rate", type=positive, default=Recipe.final_rate, help="learning rate at the end")
    schedule.add_argument(
        "--schedule",
        choices=["cosine", "plateau"],
        default=Recipe.schedule,
        help="from one to the other, or halved after three epochs without a better one",
    )
    schedule.add_argument(
        "--patience",
        type=whole(0),
        default=Recipe.patience,
        help="end after so many epochs without a better one, 0: never",
    )
    schedule.add_argument(
        "--average",
        type=fraction,
        default=Recipe.average,
        help="average the weights over the epochs: what the old average counts after each; 0 for none",
    )
    learning = parser.add_argument_group("what is learnt")
    learning.add_argument("--mix", type=share, default=Recipe.mix, help="share of batches mixed by MixUp or CutMix")
    learning.add_argument(
        "--balance",
        choices=["none", "weights", "sampling"],
        default=Recipe.balance,
        help="rare emotions count more, or come as often as the others",
    )
    learning.add_argument(
        "--label-smoothing", type=fraction, default=Recipe.label_smoothing, help="share of the label spread evenly"
    )
    learning.add_argument(
        "--symmetric",
        type=share,
        default=Recipe.symmetric,
        help="weight of the reverse cross-entropy, which wrong labels move less",
    )
    learning.add_argument("--weight-decay", type=fraction, default=Recipe.weight_decay, help="AdamW's")
    learning.add_argument(
        "--soft-labels", default=Recipe.soft_labels, metavar="CSV", help="table of annotators' votes, such as FER+'s"
    )
    learning.add_argument(
        "--votes",
        choices=["labels", "posterior"],
        default=Recipe.votes,
        help="of --soft-labels: as they are in place of labels, or half the label and half P(label | votes)",
    )
    learning.add_argument(
        "--teacher",
        dest="teachers",
        nargs="+",
        default=Recipe.teachers,
        metavar="FILE",
        help="trained models to learn from as well, .keras, .tflite or .onnx; of several, the mean",
    )
    learning.add_argument("--temperature", type=positive, default=Recipe.temperature, help="of teacher and pupil")
    learning.add_argument(
        "--teacher-weight", type=share, default=Recipe.teacher_weight, help="of the teacher; the labels have the rest"
    )
    parser.add_argument("--seed", type=whole(0, 2**32 - 1), default=Recipe.seed, help="of every random choice")
    parser.add_argument("--tensorboard", action="store_true", help="write RUN/tensorboard as well")
    parser.add_argument("--out", type=Path, help="run folder; runs/ARCH-DATE-TIME if not given")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, by its own recipe")
    args = parser.parse_args(argv)
    args.given = [name for name in Recipe.__dataclass_fields__ if getattr(args, name) != parser.get_default(name)]
    if args.head_epochs > args.epochs and not args.resume:
        parser.error(f"--head-epochs {args.head_epochs} must not exceed --epochs {args.epochs}")
    if args.votes != Recipe.votes and not (args.soft_labels or args.resume):
        parser.error(f"--votes {args.votes} expects the table of them; add --soft-labels CSV")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: train(args))


def train(args: argparse.Namespace) -> int:
    """The story of a run: data, model, epochs, verdict."""
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        require(module, package, "train")  # now, and not when the training is done
    require_keras()
    from train import data, fit, plots, runs, workers
    from train.duplicates import without_copies
    from train.evaluate import judge
    from train.predict import predict

    if args.out is None and "TF_CONFIG" in os.environ:
        raise UsageError("several workers expect one run folder that all of them see; add --out runs/NAME")
    team = workers.team()
    if args.resume:
        if args.out is None:
            raise UsageError("--resume expects the run to go on with; add --out runs/NAME")
        folder, recipe = args.out, runs.read_recipe(args.out)
        if args.given:
            raise UsageError(
                f"--resume goes on by the run's own recipe, found also {', '.join(args.given)}: leave it out"
            )
    else:
        folder = args.out or Path("runs") / f"{args.arch}-{time.strftime('%Y%m%d-%H%M%S')}"
        recipe = runs.Recipe(**{name: getattr(args, name) for name in runs.Recipe.__dataclass_fields__})
        recipe = replace(recipe, teachers=tuple(recipe.teachers))
        if team.chief and (folder / "recipe.json").exists():
            raise OutputError(f"{folder} already holds a run; choose another --out, or add --resume")

    if recipe.tensorboard:
        for package in ("tensorboard", "tensorflow"):  # Keras writes for it through TensorFlow
            require(package, package, "train")
    path = Path(recipe.data)
    faces = data.load(path, data.SPLITS, args.strict)
    learn, choose = data.train_val_split(faces, path)
    if recipe.drop_duplicates:
        tests = [faces[split] for split in ("private", "test") if split in faces]
        learn = without_copies(learn, [choose, *tests])
    print(
        f"{len(learn)} faces to learn from, {len(choose)} ({choose.split}) to choose the epoch on; run folder {folder}"
    )
    try:
        history = fit.fit(learn, choose, recipe, folder, team, verbose=1 if sys.stdout.isatty() else 2)
    except KeyboardInterrupt:
        done = len(runs.read_history(folder))
        hint = f"; go on with: python -m train --resume --out {folder}" if (folder / "recipe.json").exists() else ""
        print(f"\ninterrupted after {done} epochs{hint}", file=sys.stderr)
        return 130
    if not team.chief:
        return 0
    metrics = judge(choose, predict(folder / "model.keras", choose.images), learn)
    metrics["seconds"] = sum(row["seconds"] for row in history)
    plots.curves(history, folder / "curves.png")
    write_json(folder / "metrics.json", metrics)
    low, high = metrics["accuracy_ci95"]
    print(f"accuracy on {choose.split} {metrics['accuracy']:.2%} (95%: {low:.1%} to {high:.1%})  {folder}/model.keras")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

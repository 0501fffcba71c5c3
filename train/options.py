"""Parse the command line of `python -m train` into typed options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from edge.arguments import ArgumentParser, fraction, positive, share, whole
from edge.label_names import label
from train.data import DATA, VALIDATIONS
from train.recipe import ARCHITECTURES, AUTO, FOUND, Recipe

SEED = whole(0, 2**32 - 1)


@dataclass(frozen=True)
class Options:
    """Hold the recipe of a run, its folder, and how to run it.

    `given` has the recipe's fields that were asked for, each with its option; `seeds` asks for one run per seed;
    `strict` makes damaged faces an error.
    """

    recipe: Recipe
    out: Path | None = None
    resume: bool = False
    seeds: tuple[int, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False


def parse_args(usage: str | None, argv: list[str] | None = None) -> Options:
    """Parse the arguments; errors end the program with status 2. `usage` is shown by --help."""
    parser = ArgumentParser("python -m train", usage)
    _add_data(parser)
    _add_network(parser.add_argument_group("network"))
    _add_schedule(parser.add_argument_group("schedule"))
    _add_learning(parser.add_argument_group("targets and loss"))
    _add_run(parser)
    args = parser.parse_args(argv)
    names = [item.name for item in fields(Recipe) if item.name not in FOUND]
    recipe = Recipe(**{name: getattr(args, name) for name in names})
    recipe = replace(recipe, teachers=tuple(recipe.teachers))
    given = {name: option for name, option in parser.given(argv).items() if name in names}
    if recipe.head_epochs > recipe.epochs and not args.resume:
        parser.error(f"--head-epochs {recipe.head_epochs} must not exceed --epochs {recipe.epochs}")
    if recipe.final_learning_rate > recipe.learning_rate and not args.resume:
        if "final_learning_rate" in given:
            final, highest = recipe.final_learning_rate, recipe.learning_rate
            parser.error(f"--final-learning-rate {final:g} must not exceed --learning-rate {highest:g}")
        recipe = replace(recipe, final_learning_rate=recipe.learning_rate)
    if "votes" in given and not (recipe.soft_labels or args.resume):
        parser.error(f"--votes {recipe.votes} expects a table of votes; add --soft-labels CSV")
    if ({"teacher_weight", "temperature"} & set(given)) and not (recipe.teachers or args.resume):
        parser.error("--teacher-weight and --temperature expect a trained model to learn from; add --teacher FILE")
    if args.seeds and "seed" in given:
        parser.error(f"--seeds names the seeds of several runs; leave out --seed {recipe.seed}")
    return Options(recipe, args.out, args.resume, tuple(dict.fromkeys(args.seeds)), given, args.strict)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default=str(DATA), help="folder of faces, archive of one, or fer2013.csv")
    add_classes(parser)
    parser.add_argument(
        "--validation",
        choices=(AUTO, *VALIDATIONS),
        default=AUTO,
        help="faces that the epoch is chosen on: a held-out tenth of Training, or PublicTest; folds: none, train all "
        "epochs on all faces and measure by five folds; auto is folds for fewer than 500 faces, else held-out",
    )
    parser.add_argument(
        "--select-by",
        choices=["accuracy", "recall", "loss"],
        default=Recipe.select_by,
        help="measure on these faces that the epoch is chosen by; recall is the mean over the emotions",
    )
    parser.add_argument("--strict", action="store_true", help="stop at a damaged image or row in place of skipping it")
    parser.add_argument(
        "--drop-duplicates",
        action="store_true",
        help="leave out training faces that are validation or test faces too, exactly or nearly",
    )


def add_classes(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which classes a data set has."""
    parser.add_argument(
        "--labels",
        type=parse_labels,
        default=(),
        metavar="NAME,...",
        help="classes of a data set that has numbers, in the order of the numbers, which start at 0 or 1",
    )
    parser.add_argument(
        "--ignore", type=parse_labels, default=(), metavar="NAME,...", help="classes to leave out, as contempt"
    )


def parse_labels(text: str) -> tuple[str, ...]:
    """Parse names of classes, separated by commas; anger is angry here too. Raises ArgumentTypeError."""
    names = tuple(label(name) for name in text.split(","))
    if "" in names or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"expected different names as angry,disgust,fear, found {text!r}")
    return names


def _add_network(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--arch", choices=ARCHITECTURES, default=Recipe.arch, help="network")
    group.add_argument("--size", type=whole(32, 1024), default=Recipe.size, help="input side in pixels")
    group.add_argument(
        "--weights",
        default=Recipe.weights,
        help="imagenet, none, a no-top weights file, or a .keras model to fine-tune, which also decides the network",
    )
    group.add_argument("--width", type=positive, default=Recipe.width, help="share of the filters, for the mobilenets")
    group.add_argument(
        "--head", choices=["pooled", "flatten"], default=Recipe.head, help="pooling of the last feature map"
    )
    group.add_argument("--dense", type=whole(0), default=Recipe.dense, help="hidden units of the head, 0 for none")
    group.add_argument("--dropout", type=fraction, default=Recipe.dropout, help="dropout before the last layer")


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=whole(1), default=Recipe.epochs, help="epochs, those of the head included")
    group.add_argument(
        "--head-epochs", type=whole(0), default=Recipe.head_epochs, help="epochs of the head on a frozen backbone"
    )
    group.add_argument(
        "--freeze",
        default=Recipe.freeze,
        metavar="LAYER",
        help="keep the backbone's weights up to this layer; mobilenet_v2's block_2_add saves 40%% of the time",
    )
    group.add_argument(
        "--batch-size", type=whole(1), default=Recipe.batch_size, help="faces per step; fewer for few faces"
    )
    group.add_argument("--learning-rate", type=positive, default=Recipe.learning_rate, help="highest learning rate")
    group.add_argument(
        "--final-learning-rate", type=positive, default=Recipe.final_learning_rate, help="learning rate at the end"
    )
    group.add_argument(
        "--schedule",
        choices=["cosine", "plateau"],
        default=Recipe.schedule,
        help="cosine decay, or halving after three epochs without improvement",
    )
    group.add_argument(
        "--warmup",
        type=positive,
        default=Recipe.warmup,
        metavar="EPOCHS",
        help="epochs, or a share of one, in which the learning rate of the cosine schedule rises to the highest",
    )
    group.add_argument(
        "--patience",
        type=whole(0),
        default=Recipe.patience,
        help="stop after this many epochs without improvement, 0: never",
    )
    group.add_argument(
        "--ema",
        type=fraction,
        default=Recipe.ema,
        help="decay per epoch of the exponential moving average of the weights; 0 for none",
    )


def _add_learning(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--mix", type=share, default=Recipe.mix, help="share of batches mixed by MixUp or CutMix")
    group.add_argument(
        "--balance",
        choices=["none", "weights", "sampling"],
        default=Recipe.balance,
        help="rare emotions get a higher weight in the loss, or are sampled more often",
    )
    group.add_argument(
        "--balance-power",
        type=share,
        default=Recipe.balance_power,
        help="of --balance: weights are frequency to the minus this power; 1 balances fully, 0.5 halfway",
    )
    group.add_argument(
        "--label-smoothing", type=fraction, default=Recipe.label_smoothing, help="share of a target spread evenly"
    )
    group.add_argument(
        "--reverse-ce",
        type=share,
        default=Recipe.reverse_ce,
        help="weight of the reverse cross-entropy, which is robust to wrong labels",
    )
    group.add_argument("--weight-decay", type=fraction, default=Recipe.weight_decay, help="weight decay of AdamW")
    group.add_argument(
        "--soft-labels", default=Recipe.soft_labels, metavar="CSV", help="table of annotators' votes, such as FER+'s"
    )
    group.add_argument(
        "--votes",
        choices=["labels", "posterior"],
        default=Recipe.votes,
        help="use of --soft-labels: votes replace the labels, or targets are half the label and half P(label | votes)",
    )
    group.add_argument(
        "--teacher",
        dest="teachers",
        nargs="+",
        default=Recipe.teachers,
        metavar="FILE",
        help="trained models to distil, .keras, .tflite or .onnx; the mean of several",
    )
    group.add_argument(
        "--temperature", type=positive, default=Recipe.temperature, help="softmax temperature of teacher and student"
    )
    group.add_argument(
        "--teacher-weight",
        type=share,
        default=Recipe.teacher_weight,
        help="weight of the teacher; targets have the rest",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=SEED, default=Recipe.seed, help="seed of every random choice")
    parser.add_argument(
        "--seeds",
        type=SEED,
        nargs="+",
        default=[],
        metavar="SEED",
        help="one run per seed, in OUT-seed0 and so on; mean and standard deviation go to OUT-seeds",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write RUN/tensorboard as well")
    parser.add_argument("--out", type=Path, help="run folder; runs/ARCH-DATE-TIME if not given")
    parser.add_argument("--resume", action="store_true", help="continue the run in --out by its own recipe")

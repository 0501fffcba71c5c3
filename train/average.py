"""Average the weights of trained models: the mean is as small and as fast as one, and often better.

python -m train.average --models runs/a/model.keras runs/b/model.keras --soft-labels ferplus.csv  (prints a table alone)
python -m train.average --models runs/a/model.keras runs/b/model.keras --shares 3 7 --size 96 -o runs/mean.keras

Model soups (Wortsman et al. 2022). The models must be fine-tuned from the same one: means of others know nothing, as
the table then shows. It is measured on the held-out tenth of Training, for each model alone, equal shares and, of two
models, quarters. `--size` gives the mean another input size than the models have: a little more may help (Touvron et
al. 2019).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.arguments import ArgumentParser, positive, whole
from edge.errors import ModelError, exit_status
from edge.values import Floats
from train.data import DATA
from train.extras import require_keras
from train.held_out import load_held_out, print_caveat
from train.predict import classes_of, predict_keras
from train.progress import progress
from train.recipe import MIXED, Recipe, recipe_of, write_recipe_of
from train.runs import check_new_model, load_model, save_model

QUARTERS = ((0.75, 0.25), (0.5, 0.5), (0.25, 0.75))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.average", __doc__)
    parser.add_argument(
        "--models", type=Path, nargs="+", required=True, metavar="FILE", help=".keras files made by train, two or more"
    )
    parser.add_argument("--data", default=str(DATA), help="data set; the held-out tenth of its Training faces is used")
    parser.add_argument("--soft-labels", default="", metavar="CSV", help="table of votes to measure against")
    parser.add_argument(
        "--shares", type=positive, nargs="+", metavar="N", help="parts of each model in the mean, in their order"
    )
    parser.add_argument(
        "--size", type=whole(32, 1024), help="input side of the mean in pixels; by default the models' largest"
    )
    parser.add_argument("-o", "--out", type=Path, help=".keras file to write; without it, only the table is printed")
    args = parser.parse_args(argv)
    if len(args.models) < 2:
        parser.error(f"expected two or more models to average, found {len(args.models)}")
    if args.shares and len(args.shares) != len(args.models):
        parser.error(f"expected a share for each of {len(args.models)} models, found {len(args.shares)}")
    if args.out is not None and not args.shares:
        parser.error("writing a model expects --shares, such as 1 1; without -o, a table comes")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: average(**vars(args)))


def average(
    models: Sequence[Path],
    data: str,
    soft_labels: str,
    shares: Sequence[float] | None,
    size: int | None,
    out: Path | None,
) -> int:
    """Print the table of the models and of their means; write the mean of these shares to `out` if one is named."""
    if out is not None:
        check_new_model(out, models)
    names = [classes_of(model) for model in models]
    for path, found in zip(models, names, strict=True):
        if found != names[0]:
            raise ModelError(f"expected the classes {', '.join(names[0])} in {path}, found {', '.join(found)}")
    recipes = [recipe_of(model) or Recipe(data, validation="public") for model in models]
    held_out = load_held_out(Path(data), recipes[0], names[0], soft_labels)
    require_keras()
    from train.fit import new_model

    networks = [load_model(model) for model in models]
    weights = [network.get_weights() for network in networks]
    for path, own in zip(models, weights, strict=True):
        if [array.shape for array in own] != [array.shape for array in weights[0]]:
            raise ModelError(f"expected the network of {models[0]} in {path}, found another; see --arch and --width")
    size = size or max(network.input_shape[1] for network in networks)
    mean = new_model(replace(recipes[0], weights=str(models[0]), size=size))
    rows = candidates(len(models), shares)
    measured = []
    with progress() as stage:
        advance = stage("predict", len(rows) * len(held_out.faces))
        for network in networks:  # a model alone has its own input size
            measured.append(predict_keras(network, held_out.faces.images, advance))
        for row in rows[len(networks) :]:
            mean.set_weights(weighted_mean(weights, row))
            measured.append(predict_keras(mean, held_out.faces.images, advance))
    for number, (path, network) in enumerate(zip(models, networks, strict=True), start=1):
        print(f"{number}: {path}, {network.input_shape[1]} pixels")
    print(f"means: {size} pixels")
    held_out.print_heading()
    for row, probabilities in zip(rows, measured, strict=True):
        held_out.print_row(ratio(row), probabilities)
    print_caveat(recipes, held_out.training, held_out.faces)
    if out is not None and shares:
        mean.set_weights(weighted_mean(weights, shares))
        save_model(mean, out)
        write_recipe_of(out, mean_recipe(models, recipes, shares, size))
        print(f"written: {out}")
    return 0


def candidates(models: int, chosen: Sequence[float] | None) -> list[Sequence[float]]:
    """Return the shares of each row of the table: each model alone, means, and the chosen one unless it is there."""
    rows: list[Sequence[float]] = [tuple(float(own == other) for other in range(models)) for own in range(models)]
    rows += QUARTERS if models == 2 else [(1.0,) * models]
    known = [ratio(row) for row in rows]
    return rows if chosen is None or ratio(chosen) in known else [*rows, chosen]


def ratio(shares: Sequence[float]) -> str:
    """Return shares in the models' order, as 0.3 : 0.7, which sum to 1."""
    return " : ".join(f"{share / sum(shares):.3g}" for share in shares)


def weighted_mean(weights: Sequence[list[Floats]], shares: Sequence[float]) -> list[Floats]:
    """Return the mean of the weights of several networks, batch norm statistics included, by these shares."""
    total = sum(shares)
    return [
        np.sum([share / total * array for share, array in zip(shares, arrays, strict=True)], axis=0, dtype=np.float32)
        for arrays in zip(*weights, strict=True)
    ]


def mean_recipe(models: Sequence[Path], recipes: Sequence[Recipe], shares: Sequence[float], size: int) -> Recipe:
    """Return the recipe of the mean: that of the largest share, with all that the others have learned from.

    Faces that one of them was trained on are no longer held out.
    """
    main = recipes[int(np.argmax(shares))]
    learned = [text for recipe in recipes for text in (*recipe.start, recipe.training())]
    start = tuple(text for text in dict.fromkeys(learned) if text != main.training() or text in main.start)
    taught_by = tuple(dict.fromkeys(text for recipe in recipes for text in recipe.taught_by))
    weights = f"mean of {' and '.join(f'{share:g} {path}' for share, path in zip(shares, models, strict=True))}"
    choices = {(recipe.validation, recipe.faces_sha256) for recipe in recipes}
    validation = main.validation if len(choices) == 1 else MIXED
    return replace(main, size=size, weights=weights, start=start, taught_by=taught_by, validation=validation)


if __name__ == "__main__":
    raise SystemExit(main())

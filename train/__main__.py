"""Train a facial-emotion classifier on FER-2013.

python -m train --data data/fer2013
python -m train --data data/fer2013 --soft-labels ferplus.csv --label-smoothing 0 --out runs/votes
python -m train --data data/fer2013 --seeds 0 1 2 --out runs/mine          (runs/mine-seed0, ...)
python -m train --resume --out runs/mine

The epoch is chosen on a held-out tenth of Training; python -m train.evaluate reports on PublicTest.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import OutputError, UsageError, exit_status
from edge.files import write_json
from train.data import SPLITS, FaceSet, load, train_val_split
from train.extras import require, require_keras
from train.options import Options, parse_args
from train.recipe import Recipe, read_recipe
from train.runs import RUNS, read_history

if TYPE_CHECKING:
    from train.workers import Team


def main(argv: list[str] | None = None) -> int:
    options = parse_args(__doc__, argv)
    return exit_status(lambda: train(options))


def train(options: Options) -> int:
    """Run the training of every seed, and print their mean and standard deviation if there are several."""
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        require(module, package, "train")  # now, not after hours of training
    require_keras()
    import keras

    from train import workers
    from train.evaluation import summarize_seeds

    if options.out is None and "TF_CONFIG" in os.environ:
        raise UsageError("several workers need one run folder that all of them can read; add --out runs/NAME")
    team = workers.connect()
    runs = planned_runs(options, team.chief)
    recipe = next(iter(runs.values()))
    if recipe.tensorboard:
        for package in ("tensorboard", "tensorflow"):  # Keras writes for it through TensorFlow
            require(package, package, "train")
    training, validation = training_faces(recipe, options.strict)
    results = []
    for folder, recipe in runs.items():
        if len(runs) > 1:
            keras.utils.clear_session()  # frees the memory of the run before
        print(
            f"{len(training)} faces for training, {len(validation)} ({validation.split}) for choosing the epoch; "
            f"run folder {folder}"
        )
        try:
            result = train_run(training, validation, recipe, folder, team)
        except KeyboardInterrupt:
            _print_interruption(folder, options)
            return 130
        results += [result] if result else []
    if len(results) > 1:
        print(summarize_seeds(results))
    return 0


def planned_runs(options: Options, chief: bool) -> dict[Path, Recipe]:
    """Return folder -> recipe of every run, one per seed.

    Resumed runs have their own recipes; a seed that has not started has that of the others. Raises UsageError or
    OutputError if the options and the folders contradict each other.
    """
    if options.resume and options.out is None:
        raise UsageError("--resume expects the folder of the run to continue; add --out runs/NAME")
    if options.resume and options.changed:
        names = ", ".join("--" + name.replace("_", "-") for name in options.changed)
        raise UsageError(f"--resume uses the run's own recipe, but {names} would change it; leave it out")
    out = options.out or RUNS / f"{options.recipe.arch}-{time.strftime('%Y%m%d-%H%M%S')}"
    folders = {out.with_name(f"{out.name}-seed{seed}"): seed for seed in options.seeds} or {out: options.recipe.seed}
    started = [folder for folder in folders if (folder / "recipe.json").exists()]
    if options.resume:
        template = read_recipe(started[0] if started else next(iter(folders)))
        return {
            folder: read_recipe(folder) if folder in started else replace(template, seed=seed)
            for folder, seed in folders.items()
        }
    if chief and started:
        raise OutputError(f"{started[0]} already holds a run; choose another --out, or add --resume")
    return {folder: replace(options.recipe, seed=seed) for folder, seed in folders.items()}


def training_faces(recipe: Recipe, strict: bool) -> tuple[FaceSet, FaceSet]:
    """Load the faces for training and those for choosing the epoch; other splits are only read to drop duplicates."""
    from train.duplicates import without_copies

    path = Path(recipe.data)
    splits = SPLITS if recipe.drop_duplicates else ("train", recipe.validation)
    faces = load(path, splits, strict)
    training, validation = train_val_split(faces, path, recipe.validation)
    if recipe.drop_duplicates:
        tests = [own for split, own in faces.items() if split != "train"]
        training = without_copies(training, [validation, *tests])
    return training, validation


def train_run(
    training: FaceSet, validation: FaceSet, recipe: Recipe, folder: Path, team: Team
) -> dict[str, Any] | None:
    """Train one run, evaluate its best epoch on the validation faces, and return the metrics; None on other workers."""
    from train import plots
    from train.evaluation import evaluate_predictions, summarize_votes
    from train.fit import fit
    from train.predict import predict

    history = fit(training, validation, recipe, folder, team, verbose=1 if sys.stdout.isatty() else 2)
    if not team.chief:
        return None
    soft_labels = Path(recipe.soft_labels) if recipe.soft_labels else None
    probabilities = predict(folder / "model.keras", validation.images)
    metrics = evaluate_predictions(validation, probabilities, training, soft_labels)
    metrics["seconds"] = sum(row["seconds"] for row in history)
    plots.curves(history, recipe, folder / "curves.png")
    write_json(folder / "metrics.json", metrics)
    low, high = metrics["accuracy_ci95"]
    print(
        f"accuracy on {validation.split} {metrics['accuracy']:.2%} (95%: {low:.1%} to {high:.1%})  "
        f"{folder / 'model.keras'}"
    )
    if "votes" in metrics:
        print(summarize_votes(metrics["votes"]))
    return metrics


def _print_interruption(folder: Path, options: Options) -> None:
    hint = ""
    if (folder / "recipe.json").exists():
        out = options.out if options.out and options.seeds else folder
        seeds = f" --seeds {' '.join(map(str, options.seeds))}" if options.out and options.seeds else ""
        hint = f"; continue with: python -m train --resume --out {out}{seeds}"
    print(f"\ninterrupted after {len(read_history(folder))} epochs{hint}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())

"""Train a facial-emotion classifier on FER-2013, or on a data set of your own.

python -m train --data data/fer2013
python -m train --data my_faces --weights models/emotion.keras             (ten pictures a class are enough)
python -m train --data data/fer2013 --soft-labels ferplus.csv --label-smoothing 0 --out runs/votes
python -m train --data data/fer2013 --seeds 0 1 2 --out runs/mine          (runs/mine-seed0, ..., runs/mine-seeds)
python -m train --resume --out runs/mine

The epoch is chosen on a held-out tenth of Training; python -m train.evaluate reports on PublicTest. With few faces, the
accuracy is measured by folds instead, and the model learns from all faces.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import UsageError, exit_status
from edge.files import write_json
from train import tables
from train.cluster import read_cluster
from train.data import FOLD_COUNT, FOLDS, FaceSet, stratified_folds
from train.extras import require, require_keras, require_reports
from train.options import Options, parse_args
from train.plan import check_files, completed, divided, load_faces, planned_runs
from train.recipe import Recipe, recipe_file
from train.runs import read_history

if TYPE_CHECKING:
    from train.workers import Team


def main(argv: list[str] | None = None) -> int:
    options = parse_args(__doc__, argv)
    return exit_status(lambda: train(options))


def train(options: Options) -> int:
    """Run the training of every seed, and print their mean and standard deviation if there are several."""
    if options.out is None and "TF_CONFIG" in os.environ:
        raise UsageError("several workers need one run folder that all of them can read; add --out runs/NAME")
    cluster = read_cluster()
    runs = planned_runs(options, cluster.chief)
    recipe = next(iter(runs.values()))
    check_files(recipe)
    faces = load_faces(recipe, options.strict, is_new=not options.resume)  # before Keras is imported, which takes long
    if not options.resume:
        runs = {folder: completed(recipe, faces, options.given, cluster.size) for folder, recipe in runs.items()}
        recipe = next(iter(runs.values()))
    training, validation = divided(faces, recipe)
    require_reports()  # now, not after hours of training
    if recipe.tensorboard:
        for package in ("tensorboard", "tensorflow"):  # Keras writes for it through TensorFlow
            require(package, package, "train")
    require_keras()
    import keras

    from train import workers

    team = workers.connect(cluster)
    results: dict[int, dict[str, Any]] = {}
    for folder, recipe in runs.items():
        if len(runs) > 1:
            keras.utils.clear_session()  # frees the memory of the run before
        _print_start(training, validation, recipe, folder)
        try:
            result = train_run(training, validation, recipe, folder, team)
        except KeyboardInterrupt:
            _print_interruption(folder, options)
            return 130
        if result:
            results[recipe.seed] = result
    if len(results) > 1:
        _summarize_seeds(runs, results)
    return 0


def _print_start(training: FaceSet, validation: FaceSet | None, recipe: Recipe, folder: Path) -> None:
    tested = f"accuracy by {FOLD_COUNT} folds" if validation is None else f"{len(validation)} ({validation.split}) for "
    tested += "" if validation is None else "choosing the epoch"
    counts = ", ".join(f"{name} {count}" for name, count in zip(training.classes, training.counts(), strict=True))
    print(f"{len(training)} faces for training, {tested}; run folder {folder}")
    print(f"{len(training.classes)} classes: {counts}")
    print(f"{recipe.arch} at {recipe.size}x{recipe.size} pixels, from {recipe.weights}")


def train_run(
    training: FaceSet, validation: FaceSet | None, recipe: Recipe, folder: Path, team: Team
) -> dict[str, Any] | None:
    """Train one run and return the metrics of its model on the validation faces; None on other workers than the chief.

    Without validation faces, they are those of the folds.
    """
    from train import plots, results
    from train.evaluation import evaluate_predictions, summarize_votes
    from train.fit import fit
    from train.folds import cross_validate
    from train.predict import predict

    verbose = 1 if sys.stdout.isatty() else 2
    if validation is None:
        probabilities, means = cross_validate(training, recipe, folder, team, verbose)
        history = fit(training, None, recipe, folder, team, verbose, means)
        tested, others, folds = replace(training, split=FOLDS), None, stratified_folds(training)
    else:
        history = fit(training, validation, recipe, folder, team, verbose)
        if not team.chief:
            return None
        probabilities = predict(folder / "model.keras", validation.images, classes=recipe.classes)
        tested, others, folds = validation, training, None
    soft_labels = Path(recipe.soft_labels) if recipe.soft_labels else None
    metrics: dict[str, Any] = {"model": str(folder / "model.keras"), "data_set": recipe.data_set}
    metrics |= evaluate_predictions(tested, probabilities, others, soft_labels, folds)
    metrics["seconds"] = sum(row["seconds"] for row in history)
    plots.curves(history, recipe, folder.name, folder / "curves")
    plots.confusion(metrics, folder / "confusion")
    tables.write_tables(folder, results.tables(metrics))
    write_json(folder / "metrics.json", metrics)
    low, high = metrics["accuracy_ci95"]
    print(
        f"accuracy on {tested.split} {metrics['accuracy']:.2%} (95%: {low:.1%} to {high:.1%})  {folder / 'model.keras'}"
    )
    unseen = metrics.get("not_nearly_in_training")
    if unseen and unseen["faces"] < metrics["faces"]:
        print(f"without faces that are nearly among the training faces: {unseen['accuracy']:.2%} of {unseen['faces']}")
    if "votes" in metrics:
        print(summarize_votes(metrics["votes"]))
    return metrics


def _summarize_seeds(runs: Mapping[Path, Recipe], metrics: Mapping[int, dict[str, Any]]) -> None:
    """Print the table of the seeds; write it, and their curves, to OUT-seeds."""
    from train import plots, results

    first, recipe = next(iter(runs.items()))
    name = first.name.removesuffix(f"-seed{recipe.seed}")
    folder = first.with_name(f"{name}-seeds")
    table = results.seeds(metrics)
    tables.write_tables(folder, {"seeds": table})
    histories = {recipe.seed: read_history(run) for run, recipe in runs.items()}
    plots.seed_curves(histories, recipe, name, folder / "curves")
    print(tables.plain(table), f"written: {folder}", sep="\n")


def _print_interruption(folder: Path, options: Options) -> None:
    hint = ""
    if recipe_file(folder).exists():
        out = options.out if options.out and options.seeds else folder
        seeds = f" --seeds {' '.join(map(str, options.seeds))}" if options.out and options.seeds else ""
        hint = f"; continue with: python -m train --resume --out {out}{seeds}"
    print(f"\ninterrupted after {len(read_history(folder))} epochs{hint}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())

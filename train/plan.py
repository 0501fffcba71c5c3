"""Plan the runs of `python -m train`: check the arguments, load the faces and complete the recipe.

All of it comes before Keras is imported, which takes long.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import DataError, ModelError, OutputError, UsageError
from edge.model_file import read_model_file
from train.data import (
    FEW_FACES,
    FOLDS,
    HELD_OUT,
    SPLITS,
    DataSet,
    FaceSet,
    check_classes,
    fingerprint,
    image_groups,
    load,
    split_of,
    train_val_split,
)
from train.options import Options
from train.predict import classes_of
from train.provenance import FER2013, FER2013_TERMS, UNKNOWN_TERMS, data_set
from train.recipe import ARCHITECTURE, AUTO, FER2013_LICENCE, VOTES, Recipe, read_recipe, recipe_file, recipe_of
from train.runs import RUNS, check_model_file, input_size, is_weights_file
from train.votes import read_votes

LEAST_STEPS = 4  # of an epoch; a set of few faces has smaller batches
LEAST_BATCH = 8


def planned_runs(options: Options, chief: bool) -> dict[Path, Recipe]:
    """Return folder -> recipe of every run, one per seed.

    Resumed runs have their own recipes; a seed that has not started has that of the others. Raises UsageError or
    OutputError if the options and the folders contradict each other.
    """
    if options.resume and options.out is None:
        raise UsageError("--resume expects the folder of the run to continue; add --out runs/NAME")
    if options.resume and options.given:
        given = ", ".join(options.given.values())
        raise UsageError(f"--resume uses the run's own recipe, but {given} would change it; leave it out")
    out = options.out or RUNS / f"{options.recipe.arch}-{time.strftime('%Y%m%d-%H%M%S')}"
    folders = {out.with_name(f"{out.name}-seed{seed}"): seed for seed in options.seeds} or {out: options.recipe.seed}
    started = [folder for folder in folders if recipe_file(folder).exists()]
    if options.resume:
        template = read_recipe(started[0] if started else next(iter(folders)))
        return {
            folder: read_recipe(folder) if folder in started else replace(template, seed=seed)
            for folder, seed in folders.items()
        }
    if chief and started:
        raise OutputError(f"{started[0]} already holds a run; choose another --out, or add --resume")
    return {folder: replace(options.recipe, seed=seed) for folder, seed in folders.items()}


def check_files(recipe: Recipe) -> None:
    """Raise ModelError or DataError for a file that the recipe names and that is not there, or another kind of file."""
    weights = Path(recipe.weights)
    if weights.suffix == ".keras" and weights.is_file():
        check_model_file(weights)
    elif recipe.weights not in ("imagenet", "none") and not is_weights_file(weights):
        raise ModelError(
            f"expected imagenet, none, a weights file .h5 or a model .keras, found {recipe.weights!r}; check --weights"
        )
    for teacher in map(Path, recipe.teachers):
        if not teacher.exists():
            raise ModelError(f"no model at {teacher}; check --teacher")
        classes_of(teacher)
    if recipe.soft_labels:
        read_votes(Path(recipe.soft_labels))


def load_faces(recipe: Recipe, strict: bool, is_new: bool) -> DataSet:
    """Load the splits that the recipe needs; those for evaluation are only read to drop duplicates.

    A recipe that `is_new` must have no classes to name or to leave out that the data set lacks.
    """
    splits = SPLITS if recipe.drop_duplicates else ("train", recipe.validation)
    return load(Path(recipe.data), splits, strict, recipe.labels, recipe.ignore, checked=is_new)


def completed(recipe: Recipe, faces: dict[str, FaceSet], given: Collection[str], workers: int) -> Recipe:
    """Return the recipe of a new run with what follows from the faces and from the model that it starts from.

    `given` are the fields that were asked for, which stay as they are.
    """
    train = split_of(faces, "train", Path(recipe.data))
    if recipe.validation == AUTO:
        few = len(train) < FEW_FACES and workers == 1
        recipe = replace(recipe, validation=FOLDS if few else HELD_OUT)
    if recipe.validation == FOLDS and (idle := sorted({"patience", "select_by"} & set(given))):
        options = " and ".join(f"--{name.replace('_', '-')}" for name in idle)
        print(f"folds choose no epoch, the last one is kept: {options} without effect")
    if "batch_size" not in given:
        recipe = replace(recipe, batch_size=fitting_batch_size(len(train), recipe.batch_size))
    name, terms = data_set(train.names, Path(recipe.data))
    taught_by = [text for teacher in recipe.teachers for text in trainings_of(Path(teacher))]
    recipe = replace(recipe, classes=train.classes, data_set=name, terms=terms, faces_sha256=fingerprint(train))
    recipe = replace(recipe, taught_by=tuple(dict.fromkeys(taught_by)))
    if not recipe.weights.endswith(".keras"):
        from_file = recipe.weights not in ("imagenet", "none")
        return replace(recipe, start=(f"{Path(recipe.weights).name} ({UNKNOWN_TERMS})",) if from_file else ())
    base = recipe_of(Path(recipe.weights))
    network: dict[str, Any] = {field: getattr(base, field) for field in ARCHITECTURE if base and field not in given}
    if base is None and "size" not in given:
        network["size"] = input_size(Path(recipe.weights)) or recipe.size
    if recipe.validation == FOLDS and not {"epochs", "head_epochs"} & set(given):
        network["head_epochs"] = recipe.epochs  # few faces teach a last layer, and would spoil the others
    base = base or Recipe(data="")  # see train.recipe.describe_training
    if recipe.validation == HELD_OUT and base.data_set == recipe.data_set and base.may_know(recipe.faces_sha256):
        print(f"{recipe.weights} may have been trained on faces that are held out here: figures may be too high")
    return replace(
        recipe,
        **network,
        start=tuple(dict.fromkeys((*base.start, base.training()))),
        taught_by=tuple(dict.fromkeys((*base.taught_by, *taught_by))),
    )


def trainings_of(model: Path) -> tuple[str, ...]:
    """Return what a card says of the trainings that a .keras, .tflite or .onnx file stands for; see Recipe.training."""
    if model.suffix == ".keras":
        recipe = recipe_of(model) or Recipe(data="")
        return (*recipe.start, *recipe.taught_by, recipe.training())
    card = read_model_file(model).card
    if card.licence == FER2013_LICENCE:
        return (f"{FER2013}{VOTES if card.targets == 'votes' else ''} ({FER2013_TERMS})",)
    return (card.licence.partition("trained on ")[2] or f"{model.name} ({UNKNOWN_TERMS})",)


def fitting_batch_size(faces: int, largest: int) -> int:
    """Return the batch size for this many training faces: a power of two that gives LEAST_STEPS steps an epoch."""
    fitting = 1 << int(np.log2(max(1, faces / LEAST_STEPS)))
    return min(largest, max(LEAST_BATCH, fitting))


def divided(faces: dict[str, FaceSet], recipe: Recipe) -> tuple[FaceSet, FaceSet | None]:
    """Return the faces for training and those for choosing the epoch, None with folds."""
    from train.duplicates import without_copies

    path = Path(recipe.data)
    if recipe.validation == FOLDS:
        training, validation = split_of(faces, "train", path), None
        check_classes(training, image_groups(training), path)
    else:
        training, validation = train_val_split(faces, path, recipe.validation)
    if training.classes != recipe.classes:
        raise DataError(
            f"expected the classes of the run, {', '.join(recipe.classes)}, in {path}, found "
            f"{', '.join(training.classes)}; the data set has changed"
        )
    if recipe.faces_sha256 and recipe.faces_sha256 != fingerprint(split_of(faces, "train", path)):
        raise DataError(f"expected the training faces of the run in {path}, found others; start a new run")
    if recipe.drop_duplicates:
        others = [own for split, own in faces.items() if split != "train"] + ([validation] if validation else [])
        training = without_copies(training, others) if others else training
    return training, validation

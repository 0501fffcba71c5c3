"""A run folder, and what can be had from it.

recipe.json           everything that rebuilds the run
history.csv           a row an epoch; its length is how far the run has come
checkpoint-NNN.keras  model and optimizer after epoch NNN, for --resume
checkpoint-NNN.npz    the average of the weights over the epochs, where the recipe asks for one
model.keras           the best epoch, chosen on PublicTest; of the averages where the recipe asks for them
metrics.json, curves.png   at the end: a run without metrics.json is not finished
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import ModelError
from edge.files import atomic_write
from edge.labels import EMOTIONS
from edge.values import Floats

if TYPE_CHECKING:
    import keras

RUNS = Path("runs")
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "emotion.keras"  # what edge/models was made from
SCALE, BACKBONE = "scale", "backbone"  # layers of every model: pixels to -1..1, then the (pretrained) network


@dataclass(frozen=True)
class Recipe:
    """All that a run depends on besides the code and the data; rates are AdamW's, dropout stands before the head."""

    data: str
    drop_duplicates: bool = False
    arch: str = "mobilenet_v2"
    size: int = 96
    weights: str = "imagenet"
    width: float = 1.0
    head: str = "pooled"
    dense: int = 0
    epochs: int = 18
    head_epochs: int = 1
    batch: int = 64
    rate: float = 1e-3
    final_rate: float = 5e-5
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    symmetric: float = 0.0
    dropout: float = 0.3
    mix: float = 0.0
    balance: str = "none"
    schedule: str = "cosine"
    patience: int = 0
    average: float = 0.0
    soft_labels: str = ""
    votes: str = "labels"
    teachers: tuple[str, ...] = ()
    temperature: float = 2.0
    teacher_weight: float = 0.7
    tensorboard: bool = False
    seed: int = 0

    @property
    def chosen_by(self) -> str:
        """The column of the history that the best epoch is chosen by."""
        return "val_accuracy_of_average" if self.average else "val_accuracy"


def is_run(folder: Path) -> bool:
    """Whether a training run lives there, with a model chosen."""
    return (folder / "recipe.json").exists() and (folder / "model.keras").exists()


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a run that is to go on."""
    try:
        values = json.loads((folder / "recipe.json").read_text())
        if unknown := set(values) - {field.name for field in fields(Recipe)}:
            raise ValueError(f"it has {', '.join(sorted(unknown))}, which nothing here knows")
        return Recipe(**{**values, "teachers": tuple(values.get("teachers", ()))})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"expected a run with a recipe.json in {folder}, found none that reads: {error}") from error


def read_history(folder: Path) -> list[dict[str, float]]:
    """The epochs done so far; empty for a new run."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (ValueError, TypeError, csv.Error) as error:
        raise ModelError(f"damaged history {path}: {error}; start a new run") from error


def write_history(folder: Path, rows: list[dict[str, float]]) -> None:
    with atomic_write(folder / "history.csv") as tmp, tmp.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def checkpoint(folder: Path, epoch: int, suffix: str = ".keras") -> Path:
    return folder / f"checkpoint-{epoch:03d}{suffix}"


def write_arrays(path: Path, arrays: list[Floats]) -> None:
    with atomic_write(path) as tmp:
        np.savez(tmp, *arrays)


def read_arrays(path: Path) -> list[Floats]:
    """What write_arrays wrote, in its order; empty where nothing was."""
    if not path.exists():
        return []
    with np.load(path) as file:
        return [file[name] for name in file.files]


def save_model(model: keras.Model, path: Path) -> None:
    with atomic_write(path) as tmp:
        model.save(tmp)


def load_model(path: Path, compiled: bool = False) -> keras.Model:
    """Open a .keras file that takes [n, size, size, 3] and gives [n, 7], without or with its optimizer.

    ModelError for any other.
    """
    if path.suffix != ".keras":
        raise ModelError(f"expected a .keras file, found {path}")
    if not path.is_file():
        raise ModelError(f"no model at {path}; train one with: python -m train --data data/fer2013")
    import keras

    try:
        model = keras.models.load_model(path, compile=compiled)
    except Exception as error:  # zipfile, h5py, json and Keras each raise their own
        raise ModelError(f"expected a Keras model, cannot open {path}: {str(error).splitlines()[0][:200]}") from error
    taken, given = model.input_shape, model.output_shape
    square = isinstance(taken, tuple) and len(taken) == 4 and taken[1] == taken[2] is not None and taken[3] == 3
    if not square or given != (None, len(EMOTIONS)):
        raise ModelError(f"expected square RGB inputs and {len(EMOTIONS)} outputs in {path}, found {taken} and {given}")
    if not {SCALE, BACKBONE} <= {layer.name for layer in model.layers}:
        raise ModelError(f"expected a model made by train (layers {SCALE}, {BACKBONE}), found another in {path}")
    return model


def newest_run() -> Path | None:
    """The folder of the run that finished last, if there is one."""
    finished = [file for file in RUNS.glob("*/metrics.json") if is_run(file.parent)]
    finished.sort(key=lambda file: file.stat().st_mtime)
    return finished[-1].parent if finished else None


def newest_model() -> Path:
    """model.keras of the run that finished last; where there is none, the shipped model's."""
    run = newest_run()
    if run is not None:
        return run / "model.keras"
    if not SHIPPED.is_file():
        raise ModelError(f"no finished run in {RUNS}/; name a model with --model, or train one with: python -m train")
    return SHIPPED.relative_to(Path.cwd()) if SHIPPED.is_relative_to(Path.cwd()) else SHIPPED

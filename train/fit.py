"""Two-phase training: the new head on a frozen backbone first, then all layers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import DataError, UsageError
from edge.files import write_json
from edge.values import Floats
from train.augment import NONE, Augmentation
from train.batches import Batches
from train.data import FaceSet
from train.losses import Objective, label_accuracy
from train.predict import predict_keras
from train.runs import (
    BACKBONE,
    Recipe,
    checkpoint,
    load_model,
    read_arrays,
    read_history,
    save_model,
    write_arrays,
    write_history,
)
from train.teachers import open_teacher
from train.workers import Team, shared, synchronize
from train.zoo import build

PLATEAU = 3  # epochs without a better one after which the rate is halved, where the schedule is that


class RunFolder(keras.callbacks.Callback):
    """Before every epoch: its random state. After it: a checkpoint first, then the history row that makes it count.

    `best` is a model of the same layers that takes the weights that are judged and kept. Among workers all must write,
    since that gathers what they counted; those that are not the chief do so in a folder that nobody keeps.
    """

    def __init__(self, folder: Path, batches: Batches, unseen: FaceSet, best: keras.Model, team: Team) -> None:
        super().__init__()
        self.folder, self.batches, self.unseen, self.recipe = folder, batches, unseen, batches.recipe
        self.best, self.team = best, team
        self.rows = read_history(folder)
        self.average = read_arrays(checkpoint(folder, len(self.rows), ".npz"))
        if not team.chief:
            self._unkept = tempfile.TemporaryDirectory()
            self.folder = Path(self._unkept.name)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()
        self.batches.epoch = epoch
        # A checkpoint does not hold the dropout's random state: it follows from the epoch, so a resumed run is exact.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign([self.recipe.seed, epoch << 20])
        if self.recipe.schedule == "plateau" and epoch >= self.recipe.head_epochs:
            self.model.optimizer.learning_rate = plateau_rate(self.rows, self.recipe)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1.0, **{name: float(value) for name, value in (logs or {}).items()}}
        row["seconds"] = round(time.perf_counter() - self.started, 1)
        weights = self.model.get_weights()
        if self.recipe.average:
            weights = self.average = self._blended(weights)
            self.best.set_weights(weights)
            guessed = predict_keras(self.best, self.unseen.images, eager=self.team.size > 1).argmax(axis=1)
            row["val_accuracy_of_average"] = self.team.agreed((guessed == self.unseen.labels).mean())
        earlier = max((old[self.recipe.chosen_by] for old in self.rows), default=0.0)
        self.rows.append(row)
        self._write(epoch, weights, better=row[self.recipe.chosen_by] > earlier)
        self.model.stop_training = should_stop_early(self.rows, self.recipe)

    def _write(self, epoch: int, weights: list[Floats], better: bool) -> None:
        save_model(self.model, checkpoint(self.folder, epoch + 1))
        if self.recipe.average:
            write_arrays(checkpoint(self.folder, epoch + 1, ".npz"), self.average)
        if better:
            self.best.set_weights(weights)
            save_model(self.best, self.folder / "model.keras")
        write_history(self.folder, self.rows)
        for suffix in (".keras", ".npz"):
            checkpoint(self.folder, epoch, suffix).unlink(missing_ok=True)

    def _blended(self, last: list[Floats]) -> list[Floats]:
        """Exponential moving average over the epochs of every weight, the batch norms' statistics included."""
        old = self.recipe.average if self.average else 0.0
        return [old * a + (1 - old) * b for a, b in zip(self.average or last, last, strict=True)]


def fit(
    train: FaceSet, validation: FaceSet, recipe: Recipe, folder: Path, team: Team, verbose: int = 1
) -> list[dict[str, float]]:
    """Train, or go on with, the run in `folder`; returns the history. Afterwards `folder`/model.keras is the best."""
    if len(train) < recipe.batch:
        raise DataError(f"expected at least one batch of {recipe.batch} training faces, found {len(train)}")
    if recipe.batch % team.size:
        raise UsageError(f"expected a --batch that {team.size} workers can share, found {recipe.batch}")
    keras.utils.set_random_seed(recipe.seed)
    teachers = [open_teacher(Path(path), eager=team.size > 1) for path in recipe.teachers]
    done = len(read_history(folder))
    with team.scope():
        model = load_model(checkpoint(folder, done), compiled=True) if done else new_model(recipe)
    optimizer, best = model.optimizer if done else None, keras.models.clone_model(model)
    synchronize(best, False)  # a checkpoint of several workers says so
    if team.size > 1:
        model = shared(model)
    batches = Batches(train, recipe, Augmentation(), teachers, parts=team.size)
    unseen = Batches(validation, recipe, NONE)
    if team.chief and not done:
        write_json(folder / "recipe.json", asdict(recipe))
    run = RunFolder(folder, batches, validation, best, team)
    callbacks: list[keras.callbacks.Callback] = [run]
    if recipe.tensorboard and team.chief:
        callbacks.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    with team.scope():
        for first, last in ((0, recipe.head_epochs), (recipe.head_epochs, recipe.epochs)):
            if done >= last or first == last or should_stop_early(run.rows, recipe):
                continue
            frozen = first < recipe.head_epochs
            if done <= first:  # else the checkpoint's optimizer goes on
                optimizer = keras.optimizers.AdamW(
                    _rate(recipe, len(batches), last - first, frozen), weight_decay=recipe.weight_decay
                )
            model.get_layer(BACKBONE).trainable = not frozen
            compile_model(model, recipe, optimizer)
            model.fit(
                batches,
                validation_data=unseen,
                shuffle=False,  # Batches does
                initial_epoch=max(done, first),
                epochs=last,
                callbacks=callbacks,
                verbose=verbose,
            )
    return run.rows


def new_model(recipe: Recipe) -> keras.Model:
    return build(
        recipe.arch,
        recipe.size,
        recipe.weights,
        recipe.dropout,
        width=recipe.width,
        head=recipe.head,
        dense=recipe.dense,
    )


def compile_model(model: keras.Model, recipe: Recipe, optimizer: keras.optimizers.Optimizer) -> None:
    """With the recipe's loss."""
    loss = Objective(
        recipe.label_smoothing, recipe.symmetric, recipe.teacher_weight if recipe.teachers else 0.0, recipe.temperature
    )
    accuracy = keras.metrics.MeanMetricWrapper(label_accuracy, name="accuracy")
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])


def _rate(recipe: Recipe, steps: int, epochs: int, frozen: bool) -> Any:
    """Of the head alone: the highest. Cosine: up in one epoch, then down to the final rate. Plateau: see RunFolder."""
    if frozen or recipe.schedule != "cosine":
        return recipe.rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.rate,
        warmup_steps=steps,
        decay_steps=max(1, steps * (epochs - 1)),
        alpha=recipe.final_rate / recipe.rate,
    )


def plateau_rate(rows: Sequence[dict[str, float]], recipe: Recipe) -> float:
    """The rate of the next epoch, by the history: halved after each PLATEAU epochs without a better one."""
    rate, best, since = recipe.rate, 0.0, 0
    for row in rows[recipe.head_epochs :]:
        since = 0 if row[recipe.chosen_by] > best else since + 1
        best = max(best, row[recipe.chosen_by])
        if since == PLATEAU:
            rate, since = max(rate / 2, recipe.final_rate), 0
    return rate


def should_stop_early(rows: Sequence[dict[str, float]], recipe: Recipe) -> bool:
    """Whether the last `patience` epochs of fine-tuning were all no better than one before them."""
    values = [row[recipe.chosen_by] for row in rows[recipe.head_epochs :]]
    return bool(recipe.patience) and len(values) - 1 - int(np.argmax(values or [0])) >= recipe.patience

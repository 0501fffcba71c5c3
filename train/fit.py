"""Train in two phases: the new head on a frozen backbone first, then all layers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import DataError, UsageError
from edge.values import Floats
from train.augment import Augmentation
from train.batches import Batches
from train.data import FEW_FACES, FOLDS, FaceSet
from train.losses import Objective, label_accuracy
from train.predict import predict_keras
from train.recipe import OF_AVERAGE, Recipe, write_recipe
from train.runs import (
    BACKBONE,
    checkpoint,
    load_model,
    read_arrays,
    read_history,
    save_model,
    write_arrays,
    write_history,
)
from train.targets import Validation, training_examples, validation_set
from train.teachers import open_teacher
from train.workers import Team, distributed, synchronize_batch_norm
from train.zoo import build, frozen_layers

PLATEAU = 3  # epochs without improvement after which the plateau schedule halves the learning rate


class RunFolder(keras.callbacks.Callback):
    """Set an epoch's random state before it; validate and save after it, the checkpoint before the history row.

    `best` is a model of the same layers that holds the weights to validate and keep. All workers must save, since that
    gathers their states; workers that are not the chief save to a temporary folder.
    """

    def __init__(
        self,
        folder: Path,
        batches: Batches,
        validation: Validation | None,
        best: keras.Model,
        team: Team,
        fold_measures: Sequence[dict[str, float]] = (),
    ) -> None:
        super().__init__()
        self.folder = folder
        self.batches = batches
        self.recipe = batches.recipe
        self.validation = validation
        self.best = best
        self.team = team
        self.fold_measures = fold_measures
        self._is_short = self.recipe.validation == FOLDS and len(batches.examples) < FEW_FACES
        self.rows = read_history(folder)
        self.average = read_arrays(checkpoint(folder, len(self.rows), ".npz"))
        if not team.chief:
            self._temporary = tempfile.TemporaryDirectory()
            self.folder = Path(self._temporary.name)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()
        self.batches.epoch = epoch
        # Checkpoints do not hold the dropout's random state. It follows from the epoch, so a resumed run is exact.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign([self.recipe.seed, epoch << 20])
        if self.recipe.schedule == "plateau" and epoch >= self.recipe.head_epochs:
            self.model.optimizer.learning_rate = plateau_learning_rate(self.rows, self.recipe)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if logs and not np.isfinite(float(logs["loss"])):
            raise self._diverged()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        weights = self.model.get_weights()
        if not all(np.isfinite(array).all() for array in weights):  # by the last step, after its loss
            raise self._diverged()
        if self.recipe.ema:
            self.average = self._update_average(weights)
        measures = self._measures(epoch, weights)
        if logs is not None:
            logs.update(measures)  # for the callbacks that print and plot
        row = {"epoch": epoch + 1.0, **{name: float(value) for name, value in (logs or measures).items()}}
        row["seconds"] = round(time.perf_counter() - self.started, 1)
        score = self.recipe.selection_score
        improved = score(row) > max((score(earlier) for earlier in self.rows), default=-np.inf)
        if self.recipe.validation == FOLDS:
            improved = epoch + 1 == self.recipe.epochs
        self.rows.append(row)
        self._save(epoch, improved)
        self.model.stop_training = should_stop_early(self.rows, self.recipe)

    def _measures(self, epoch: int, weights: list[Floats]) -> dict[str, float]:
        """Return the validation measures of the epoch; `best` holds the weights to keep afterwards."""
        if self.validation is None:
            self.best.set_weights(self.average or weights)
            return self.fold_measures[epoch]
        measures = self._validate(self.validation, weights)
        if self.recipe.ema:
            averaged = self._validate(self.validation, self.average)
            measures |= {name + OF_AVERAGE: value for name, value in averaged.items()}
        return measures

    def _diverged(self) -> UsageError:
        kept = self.folder / "model.keras"
        best = f"; the best epoch so far is in {kept}" if kept.exists() else ""
        return UsageError(
            f"expected a finite loss, found none in epoch {len(self.rows) + 1}: training diverged at --learning-rate "
            f"{self.recipe.learning_rate:g}; start a new run with a lower one{best}"
        )

    def _validate(self, validation: Validation, weights: list[Floats]) -> dict[str, float]:
        """Return the validation measures of these weights, which `best` holds afterwards."""
        self.best.set_weights(weights)
        probabilities = predict_keras(self.best, validation.faces.images, eager=self.team.size > 1)
        measures = validation.measure(probabilities)
        return {name: self.team.mean(value) for name, value in measures.items()}

    def _update_average(self, weights: list[Floats]) -> list[Floats]:
        """Return the moving average over the epochs of all weights, batch norm statistics included."""
        decay = self.recipe.ema if self.average else 0.0
        return [decay * old + (1 - decay) * new for old, new in zip(self.average or weights, weights, strict=True)]

    def _save(self, epoch: int, improved: bool) -> None:
        if self._is_short and epoch + 1 < self.recipe.epochs:
            return  # writing would take longer than training; a fold that was interrupted starts again
        save_model(self.model, checkpoint(self.folder, epoch + 1))
        if self.recipe.ema:
            write_arrays(checkpoint(self.folder, epoch + 1, ".npz"), self.average)
        if improved:
            save_model(self.best, self.folder / "model.keras")
        write_history(self.folder, self.rows)
        for suffix in (".keras", ".npz"):
            checkpoint(self.folder, epoch, suffix).unlink(missing_ok=True)


def fit(
    train: FaceSet,
    validation: FaceSet | None,
    recipe: Recipe,
    folder: Path,
    team: Team,
    verbose: int = 1,
    fold_measures: Sequence[dict[str, float]] = (),
) -> list[dict[str, float]]:
    """Train a new run or continue the one in `folder`, and return its history; model.keras there is the best epoch.

    Without validation faces, each epoch has the measures of the folds (train.folds), and the last one is kept.
    Raises DataError or UsageError if the faces or the workers do not fit the batch size.
    """
    examples = training_examples(train, recipe)
    if len(examples) < recipe.batch_size:
        raise DataError(
            f"expected at least one batch of {recipe.batch_size} training faces, found {len(examples)}; add faces, or "
            "give a smaller --batch-size"
        )
    if recipe.batch_size % team.size:
        raise UsageError(f"expected a --batch-size divisible by {team.size} workers, found {recipe.batch_size}")
    keras.utils.set_random_seed(recipe.seed)
    teachers = [open_teacher(Path(path), team.size > 1, recipe.classes) for path in recipe.teachers]
    batches = Batches(examples, recipe, Augmentation(), teachers, parts=team.size)
    measured = validation_set(validation, recipe) if validation else None
    done = len(read_history(folder))
    with team.scope():
        model = load_model(checkpoint(folder, done), compiled=True) if done else new_model(recipe)
    optimizer = model.optimizer if done else None
    frozen_layers(model, recipe.freeze)  # an unknown one ends the run before it has a folder
    best = keras.models.clone_model(model)
    synchronize_batch_norm(best, False)  # the checkpoint of several workers has it on
    if team.size > 1:
        model = distributed(model)
    if team.chief and not done:
        write_recipe(folder, recipe)
    run = RunFolder(folder, batches, measured, best, team, fold_measures)
    with team.scope():
        _fit_phases(model, optimizer, run, done, verbose)
    return run.rows


def _fit_phases(
    model: keras.Model, optimizer: keras.optimizers.Optimizer | None, run: RunFolder, done: int, verbose: int
) -> None:
    """Train the head, then all layers; `done` epochs are finished, the last of them with `optimizer`."""
    recipe = run.recipe
    callbacks: list[keras.callbacks.Callback] = [run]
    if recipe.tensorboard and run.team.chief:
        callbacks.append(keras.callbacks.TensorBoard(run.folder / "tensorboard"))
    for first, last in ((0, recipe.head_epochs), (recipe.head_epochs, recipe.epochs)):
        if done >= last or first == last or should_stop_early(run.rows, recipe):
            continue
        frozen = first < recipe.head_epochs
        if done <= first:  # else the checkpoint's optimizer continues
            learning_rate = _learning_rate(recipe, len(run.batches), last - first, frozen)
            optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=recipe.weight_decay)
        model.get_layer(BACKBONE).trainable = not frozen
        for layer in frozen_layers(model, recipe.freeze):
            layer.trainable = False
        compile_model(model, recipe, optimizer)
        model.fit(
            run.batches,
            shuffle=False,  # Batches does
            initial_epoch=max(done, first),
            epochs=last,
            callbacks=callbacks,
            verbose=verbose,
        )


def new_model(recipe: Recipe) -> keras.Model:
    """Build the recipe's network with its initial weights."""
    return build(
        recipe.arch,
        recipe.size,
        recipe.weights,
        recipe.dropout,
        width=recipe.width,
        head=recipe.head,
        dense=recipe.dense,
        classes=recipe.classes,
    )


def compile_model(model: keras.Model, recipe: Recipe, optimizer: keras.optimizers.Optimizer) -> None:
    """Compile a model with the recipe's loss."""
    teacher_weight = recipe.teacher_weight if recipe.teachers else 0.0
    loss = Objective(recipe.label_smoothing, recipe.reverse_ce, teacher_weight, recipe.temperature)
    accuracy = keras.metrics.MeanMetricWrapper(label_accuracy, name="accuracy")
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])


def _learning_rate(recipe: Recipe, steps: int, epochs: int, frozen: bool) -> Any:
    """Return the schedule of a phase: cosine after a warm-up, else the highest learning rate.

    The head is trained at the highest one; RunFolder lowers it on plateaus.
    """
    if frozen or recipe.schedule != "cosine":
        return recipe.learning_rate
    warmup_steps = max(1, round(recipe.warmup * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=max(1, steps * epochs - warmup_steps),
        alpha=recipe.final_learning_rate / recipe.learning_rate,
    )


def plateau_learning_rate(rows: Sequence[dict[str, float]], recipe: Recipe) -> float:
    """Return the next epoch's learning rate: halved after each PLATEAU epochs of fine-tuning without improvement."""
    learning_rate = recipe.learning_rate
    best = -np.inf
    stale = 0
    for score in map(recipe.selection_score, rows[recipe.head_epochs :]):
        stale = 0 if score > best else stale + 1
        best = max(best, score)
        if stale == PLATEAU:
            learning_rate = max(learning_rate / 2, recipe.final_learning_rate)
            stale = 0
    return learning_rate


def should_stop_early(rows: Sequence[dict[str, float]], recipe: Recipe) -> bool:
    """Return whether the last `patience` epochs of fine-tuning were no better than one before them."""
    scores = [recipe.selection_score(row) for row in rows[recipe.head_epochs :]]
    if recipe.validation == FOLDS:  # all folds have as many epochs
        return False
    return bool(recipe.patience) and len(scores) - 1 - int(np.argmax(scores or [0])) >= recipe.patience

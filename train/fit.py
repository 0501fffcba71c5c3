"""Two-phase training: the new head on a frozen backbone first, then all layers."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.files import write_json
from edge.labels import EMOTIONS
from train.augment import NONE, Augmentation, augment, mix
from train.data import FaceSet
from train.evaluate import keras_inputs, predict_keras
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
from train.zoo import build


class Batches(keras.utils.PyDataset):
    """Faces in batches; the same seed, epoch and batch number give the same pixels, so that a resumed run is exact."""

    def __init__(self, faces: FaceSet, recipe: Recipe, limits: Augmentation) -> None:
        super().__init__(workers=1)
        self.faces, self.recipe, self.limits = faces, recipe, limits
        self.epoch = 0  # set by RunFolder: Keras' own on_epoch_end also comes once before a fresh model's first epoch

    def __len__(self) -> int:
        return -(-len(self.faces) // self.recipe.batch)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Float32 [b, size, size, 3] and float32 [b, 7]: one-hot, unless mixed."""
        start = index * self.recipe.batch
        picked = self._order()[start : start + self.recipe.batch]
        rng = np.random.default_rng([self.recipe.seed, self.epoch, index])
        targets = np.eye(len(EMOTIONS), dtype=np.float32)[self.faces.labels[picked]]
        if self.limits == NONE:
            return keras_inputs(self.faces.images[picked], self.recipe.size), targets
        images = augment(self.faces.images[picked], self.recipe.size, rng, self.limits)
        return mix(images, targets, rng, self.recipe.mix)

    def _order(self) -> npt.NDArray[np.int64]:
        if self.limits == NONE:
            return np.arange(len(self.faces))
        return np.random.default_rng([self.recipe.seed, self.epoch]).permutation(len(self.faces))


class RunFolder(keras.callbacks.Callback):
    """Before every epoch: its random state. After it: a checkpoint first, then the history row that makes it count."""

    def __init__(self, folder: Path, batches: Batches, unseen: FaceSet) -> None:
        super().__init__()
        self.folder, self.batches, self.unseen = folder, batches, unseen
        self.rows = read_history(folder)
        self.average = read_arrays(checkpoint(folder, len(self.rows), ".npz"))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()
        self.batches.epoch = epoch
        # A checkpoint does not hold the dropout's random state: it follows from the epoch, so a resumed run is exact.
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign([self.batches.recipe.seed, epoch << 20])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1.0, **{name: float(value) for name, value in (logs or {}).items()}}
        row["seconds"] = round(time.perf_counter() - self.started, 1)
        save_model(self.model, checkpoint(self.folder, epoch + 1))
        last = self.model.get_weights()
        if self.batches.recipe.average:
            self._blend(last)
            write_arrays(checkpoint(self.folder, epoch + 1, ".npz"), self.average)
            self.model.set_weights(self.average)
            guessed = predict_keras(self.model, self.unseen.images).argmax(axis=1)
            row["val_accuracy_of_average"] = float((guessed == self.unseen.labels).mean())
        chosen_by = "val_accuracy_of_average" if self.batches.recipe.average else "val_accuracy"
        if row[chosen_by] > max((old[chosen_by] for old in self.rows), default=0.0):
            save_model(self.model, self.folder / "model.keras")
        self.model.set_weights(last)
        self.rows.append(row)
        write_history(self.folder, self.rows)
        for suffix in (".keras", ".npz"):
            checkpoint(self.folder, epoch, suffix).unlink(missing_ok=True)

    def _blend(self, last: list[npt.NDArray[np.float32]]) -> None:
        """Exponential moving average over the epochs of every weight, the batch norms' statistics included."""
        old = self.batches.recipe.average if self.average else 0.0
        earlier = self.average or last
        self.average = [old * a + (1 - old) * b for a, b in zip(earlier, last, strict=True)]


def fit(train: FaceSet, validation: FaceSet, recipe: Recipe, folder: Path, verbose: int = 1) -> list[dict[str, float]]:
    """Train, or go on with, the run in `folder`; returns the history. Afterwards `folder`/model.keras is the best."""
    if len(train) < recipe.batch:
        raise DataError(f"expected at least one batch of {recipe.batch} training faces, found {len(train)}")
    keras.utils.set_random_seed(recipe.seed)
    batches, unseen = Batches(train, recipe, Augmentation()), Batches(validation, recipe, NONE)
    run = RunFolder(folder, batches, validation)
    done = len(run.rows)
    model = load_model(checkpoint(folder, done)) if done else None
    if model is None:
        model = build(recipe.arch, recipe.size, recipe.weights, recipe.dropout)
        write_json(folder / "recipe.json", asdict(recipe))
    for first, last in ((0, recipe.head_epochs), (recipe.head_epochs, recipe.epochs)):
        if done >= last or first == last:
            continue
        if done <= first:  # else the checkpoint brings its compiled state along
            _compile(model, train, recipe, frozen=first < recipe.head_epochs, epochs=last - first)
        model.fit(
            batches,
            validation_data=unseen,
            shuffle=False,  # Batches does
            initial_epoch=max(done, first),
            epochs=last,
            callbacks=[run],
            verbose=verbose,
        )
    return run.rows


def _compile(model: keras.Model, train: FaceSet, recipe: Recipe, frozen: bool, epochs: int) -> None:
    """Warm up for one epoch (none for the head alone), then follow a cosine down to the final rate."""
    steps = -(-len(train) // recipe.batch)
    schedule: Any = recipe.rate
    if not frozen:
        schedule = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            warmup_target=recipe.rate,
            warmup_steps=steps,
            decay_steps=max(1, steps * (epochs - 1)),
            alpha=recipe.final_rate / recipe.rate,
        )
    model.get_layer(BACKBONE).trainable = not frozen
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )

"""Make training batches: augmented and mixed faces with their targets, weights and teachers' predictions."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from edge.values import Floats
from train.augment import Augmentation, augment, mix
from train.recipe import Recipe
from train.targets import Examples, class_weights
from train.teachers import Teacher, mean_prediction


class Batches(keras.utils.PyDataset):
    """Batches that depend on seed, epoch and index alone, so that a resumed run is exact.

    Distributed workers (train.workers) share each batch in `parts` of equal size, since their means weigh the same.
    """

    def __init__(
        self,
        examples: Examples,
        recipe: Recipe,
        augmentation: Augmentation,
        teachers: Sequence[Teacher] = (),
        parts: int = 1,
    ) -> None:
        super().__init__(workers=1)
        self.examples = examples
        self.recipe = recipe
        self.augmentation = augmentation
        self.teachers = teachers
        self.parts = parts
        self.epoch = 0  # set by RunFolder: Keras also calls on_epoch_end once before a new model's first epoch
        self._count = len(examples) - len(examples) % parts
        self._class_weights = class_weights(examples.targets, recipe.balance_power)
        self._ordered: tuple[int, npt.NDArray[np.int64]] | None = None  # epoch and its order

    def __len__(self) -> int:
        return -(-self._count // self.recipe.batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, ...]:
        """Return inputs [b, size, size, 3], targets [b, 7], or [b, 14] with a teacher's, and weights [b] if asked for.

        All are float32.
        """
        start = index * self.recipe.batch_size
        indices = self._order()[start : start + self.recipe.batch_size]
        rng = np.random.default_rng([self.recipe.seed, self.epoch, index])
        inputs = augment(self.examples.faces.images[indices], self.recipe.size, rng, self.augmentation)
        inputs, targets = mix(inputs, self.examples.targets[indices], rng, self.recipe.mix)
        weights = targets @ self._class_weights
        if self.teachers:
            targets = np.hstack([targets, mean_prediction(self.teachers, inputs)])
        return (inputs, targets, weights) if self.recipe.balance == "weights" else (inputs, targets)

    def _order(self) -> npt.NDArray[np.int64]:
        """Return the faces of the epoch: each once or, with balanced sampling, as many drawn by their emotions."""
        epoch, ordered = self.epoch, self._ordered
        if ordered is None or ordered[0] != epoch:  # a million faces take longer to order than a batch to make
            self._ordered = ordered = epoch, self._draw(epoch)
        return ordered[1]

    def _draw(self, epoch: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng([self.recipe.seed, epoch])
        if self.recipe.balance == "sampling":
            chances = (self.examples.targets @ self._class_weights).astype(np.float64)
            return rng.choice(len(self.examples), self._count, p=chances / chances.sum())
        return rng.permutation(len(self.examples))[: self._count]

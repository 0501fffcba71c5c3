"""Define the training loss: cross-entropy, with optional reverse cross-entropy and distillation.

Works on every Keras backend (keras.ops). Models here output probabilities. The logarithm of a probability is its logit
up to a constant that softmax cancels, so a temperature can be applied to either.
"""

from __future__ import annotations

from typing import Any

import keras

from train.metrics import LEAST_PROBABILITY

REVERSE_LEAST = 1e-4  # reverse cross-entropy takes the logarithm of no less; the value of the paper's code


@keras.saving.register_keras_serializable(package="train")
class Objective(keras.losses.Loss):
    """Cross-entropy with label smoothing, plus two terms that a weight of 0 leaves out.

    `reverse_ce`: weight of the reverse cross-entropy, which is robust to wrong labels (Wang et al. 2019).
    `teacher_weight`: share of the divergence from the teacher at `temperature` (Hinton, Vinyals and Dean 2015); the
    other terms have the rest. It is multiplied by temperature squared, so that its gradient keeps its size.

    Targets are [n, classes], or [n, 2 * classes] with the teacher's probabilities behind.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        reverse_ce: float = 0.0,
        teacher_weight: float = 0.0,
        temperature: float = 1.0,
        name: str = "objective",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing
        self.reverse_ce = reverse_ce
        self.teacher_weight = teacher_weight
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        classes = y_pred.shape[-1]
        targets, teacher = y_true[:, :classes], y_true[:, classes:]
        smooth = targets * (1 - self.label_smoothing) + self.label_smoothing / classes
        loss = _cross_entropy(smooth, y_pred, LEAST_PROBABILITY)
        if self.reverse_ce:
            loss += self.reverse_ce * _cross_entropy(y_pred, targets, REVERSE_LEAST)
        if self.teacher_weight and y_true.shape[-1] > classes:
            teacher, student = (soften(p, self.temperature) for p in (teacher, y_pred))
            divergence = _cross_entropy(teacher, student, LEAST_PROBABILITY)
            divergence -= _cross_entropy(teacher, teacher, LEAST_PROBABILITY)
            loss = (1 - self.teacher_weight) * loss + self.teacher_weight * self.temperature**2 * divergence
        return loss

    def get_config(self) -> dict[str, Any]:
        names = ("label_smoothing", "reverse_ce", "teacher_weight", "temperature")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _cross_entropy(targets: Any, probabilities: Any, least: float) -> Any:
    """Return -sum(targets * log(probabilities)), [n], with probabilities clipped to at least `least`."""
    return -keras.ops.sum(targets * keras.ops.log(keras.ops.clip(probabilities, least, 1.0)), axis=-1)


def soften(probabilities: Any, temperature: float) -> Any:
    """Return softmax(logits / temperature) for probabilities softmax(logits), [n, classes]."""
    logits = keras.ops.log(keras.ops.clip(probabilities, LEAST_PROBABILITY, 1.0))
    return keras.ops.softmax(logits / temperature, axis=-1)


def label_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return whether prediction and target have the same most probable emotion, [n]; teachers do not count."""
    labels = keras.ops.argmax(y_true[:, : y_pred.shape[-1]], axis=-1)
    return keras.ops.cast(keras.ops.equal(labels, keras.ops.argmax(y_pred, axis=-1)), "float32")


keras.saving.register_keras_serializable(package="train")(label_accuracy)  # a checkpoint holds it by name

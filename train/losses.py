"""What training minimizes: cross-entropy with the label and, where asked for, with what a teacher says; or reversed.

Backend-agnostic (keras.ops). A network here ends in probabilities; the logarithm of a probability is its logit but for
a constant that softmax takes away again, so temperatures can be applied to either.
"""

from __future__ import annotations

from typing import Any

import keras

from edge.labels import EMOTIONS

CLASSES = len(EMOTIONS)
TINY = 1e-7
LEAST = 1e-4  # what a probability of 0 counts as in reverse cross-entropy; the paper's code has this too


@keras.saving.register_keras_serializable(package="train")
class Objective(keras.losses.Loss):
    """Cross-entropy with smoothed labels, plus two things that are left out where their weight is 0.

    `symmetric`: that much of the reverse cross-entropy (Wang et al. 2019), which a wrong label moves less.
    `teacher_weight`: the share of the divergence from the teacher at `temperature` (Hinton, Vinyals and Dean 2015); the
    rest is as without. It counts temperature squared, so that its gradient stays as large whatever the temperature.

    Targets are [n, 7]: the label's probabilities; or [n, 14]: then the teacher's as well.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        symmetric: float = 0.0,
        teacher_weight: float = 0.0,
        temperature: float = 1.0,
        name: str = "objective",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.label_smoothing, self.symmetric = label_smoothing, symmetric
        self.teacher_weight, self.temperature = teacher_weight, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        label, teacher = y_true[:, :CLASSES], y_true[:, CLASSES:]
        smooth = label * (1 - self.label_smoothing) + self.label_smoothing / CLASSES
        loss = _cross_entropy(smooth, y_pred, TINY)
        if self.symmetric:
            loss += self.symmetric * _cross_entropy(y_pred, label, LEAST)
        if self.teacher_weight and y_true.shape[-1] > CLASSES:  # in validation there is no teacher
            soft, own = (softened(p, self.temperature) for p in (teacher, y_pred))
            apart = _cross_entropy(soft, own, TINY) - _cross_entropy(soft, soft, TINY)
            loss = (1 - self.teacher_weight) * loss + self.teacher_weight * self.temperature**2 * apart
        return loss

    def get_config(self) -> dict[str, Any]:
        names = ("label_smoothing", "symmetric", "teacher_weight", "temperature")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _cross_entropy(wanted: Any, given: Any, least: float) -> Any:
    """-sum of wanted * log(given), [n], with `given` at least so much."""
    return -keras.ops.sum(wanted * keras.ops.log(keras.ops.clip(given, least, 1.0)), axis=-1)


def softened(probabilities: Any, temperature: float) -> Any:
    """softmax(logits / temperature) of softmax(logits), [n, classes]."""
    return keras.ops.softmax(keras.ops.log(keras.ops.clip(probabilities, TINY, 1.0)) / temperature, axis=-1)


def label_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable emotion is the label's, [n]; targets may go on with a teacher's."""
    label = keras.ops.argmax(y_true[:, :CLASSES], axis=-1)
    return keras.ops.cast(keras.ops.equal(label, keras.ops.argmax(y_pred, axis=-1)), "float32")


keras.saving.register_keras_serializable(package="train")(label_accuracy)  # a checkpoint holds it by name

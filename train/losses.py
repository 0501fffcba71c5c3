"""What training minimizes: cross-entropy, or, with a teacher, that and the distance from what the teacher says.

Backend-agnostic (keras.ops). A network here ends in probabilities; the logarithm of a probability is its logit but for
a constant that softmax takes away again, so temperatures can be applied to either.
"""

from __future__ import annotations

from typing import Any

import keras

from edge.labels import EMOTIONS

CLASSES = len(EMOTIONS)
TINY = 1e-7


@keras.saving.register_keras_serializable(package="train")
class Distillation(keras.losses.Loss):
    """Hinton, Vinyals and Dean 2015: `weight` of the divergence from the teacher at a temperature, the rest as without.

    Targets are [n, 14]: the label's seven probabilities, then the teacher's. The divergence counts temperature squared,
    so that its gradient stays as large whatever the temperature.
    """

    def __init__(
        self, temperature: float, weight: float, label_smoothing: float, name: str = "distillation", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        self.temperature, self.weight, self.label_smoothing = temperature, weight, label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        label, teacher = y_true[:, :CLASSES], y_true[:, CLASSES:]
        label = label * (1 - self.label_smoothing) + self.label_smoothing / CLASSES
        hard = -keras.ops.sum(label * keras.ops.log(keras.ops.clip(y_pred, TINY, 1.0)), axis=-1)
        soft, own = (softened(p, self.temperature) for p in (teacher, y_pred))
        apart = keras.ops.sum(soft * (keras.ops.log(soft + TINY) - keras.ops.log(own + TINY)), axis=-1)
        return (1 - self.weight) * hard + self.weight * self.temperature**2 * apart

    def get_config(self) -> dict[str, Any]:
        own = {"temperature": self.temperature, "weight": self.weight, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


def softened(probabilities: Any, temperature: float) -> Any:
    """softmax(logits / temperature) of softmax(logits), [n, classes]."""
    return keras.ops.softmax(keras.ops.log(keras.ops.clip(probabilities, TINY, 1.0)) / temperature, axis=-1)


def label_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable emotion is the label's, [n]; targets may go on with a teacher's."""
    label = keras.ops.argmax(y_true[:, :CLASSES], axis=-1)
    return keras.ops.cast(keras.ops.equal(label, keras.ops.argmax(y_pred, axis=-1)), "float32")


keras.saving.register_keras_serializable(package="train")(label_accuracy)  # a checkpoint holds it by name

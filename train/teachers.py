"""Open trained models as teachers for distillation, which predict the very batches that the student sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge.backend import open_backend
from edge.errors import ModelError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.values import Floats, Probabilities
from train.predict import forward, is_keras, label_indices
from train.recipe import model_classes
from train.runs import load_model

Teacher = Callable[[Floats], Probabilities]  # inputs float32 [n, size, size, 3] of any size, 0..255 -> [n, classes]
HALF_INT8_STEP = 1 / 512  # int8 outputs have steps of 1/256: their 0 is anything below half a step


def open_teacher(path: Path, eager: bool = False, classes: Sequence[str] = EMOTIONS) -> Teacher:
    """Open a .keras file or an exported one, which is faster on a CPU (float32 1.9 times, int8 3.9 times).

    Exported models take whole grey levels, so inputs are rounded for them. An int8 output of 0 is replaced by half a
    step: temperatures above 1 would amplify its rounding. What int8 loses among unlikely emotions stays lost, so prefer
    float32 if time allows. See train.predict.forward for `eager`.
    """
    if is_keras(path):
        model = load_model(path)
        if (own := model_classes(path, model.output_shape[1])) != tuple(classes):
            raise ModelError(f"expected a teacher of {', '.join(classes)}, found one of {', '.join(own)}")
        return lambda inputs: forward(model, resize(inputs, model.input_shape[1]), eager)
    backend = open_backend(path)
    indices = label_indices(backend.card, classes)
    least = HALF_INT8_STEP if backend.card.precision == "int8" else 0.0

    def predict(inputs: Floats) -> Probabilities:
        pixels = resize(inputs, backend.card.input_size).round().astype(np.uint8)
        outputs = np.maximum(np.stack([backend.run(face) for face in pixels])[:, indices], least)
        return np.asarray(outputs / outputs.sum(axis=1, keepdims=True), dtype=np.float32)

    return predict


def mean_prediction(teachers: Sequence[Teacher], inputs: Floats) -> Probabilities:
    """Return the mean of the teachers' probabilities, [n, classes]."""
    return np.asarray(np.mean([teacher(inputs) for teacher in teachers], axis=0), dtype=np.float32)


def resize(inputs: Floats, size: int) -> Floats:
    """Return inputs [n, s, s, 3] as [n, size, size, 3], bilinear, as the device enlarges its faces."""
    if inputs.shape[1] == size:
        return inputs
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in inputs])

"""Predict emotions with a Keras model or an exported file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.backend import BACKENDS, open_backend
from edge.backends.base import Backend
from edge.card import ModelCard
from edge.classifier import Classifier
from edge.errors import ModelError
from edge.labels import EMOTIONS
from edge.preprocess import to_input
from edge.values import Floats, Image, Probabilities
from train.extras import require_keras
from train.progress import Advance, no_progress
from train.runs import load_model

if TYPE_CHECKING:
    import keras

PREDICT_BATCH = 128


def predict(path: Path, images: Image, advance: Advance = no_progress) -> Probabilities:
    """Return the probabilities [n, 7] that a .keras, .tflite or .onnx file gives to faces uint8 [n, 48, 48].

    `advance` is called after each face. Raises ModelError if the file cannot be opened.
    """
    if is_keras(path):
        require_keras()
        return predict_keras(load_model(path), images, advance)
    return predict_backend(open_backend(path), images, advance)


def is_keras(path: Path) -> bool:
    """Return whether the suffix is that of a Keras model, not of an exported file; ModelError if it is neither."""
    if path.suffix not in {".keras", *BACKENDS}:
        raise ModelError(f"expected a model file .keras, {' or '.join(BACKENDS)}, found {path}")
    return path.suffix == ".keras"


def predict_backend(backend: Backend, images: Image, advance: Advance = no_progress) -> Probabilities:
    """Return the probabilities [n, 7] of an exported model for faces uint8 [n, 48, 48], one by one as on a device."""
    classifier = Classifier(backend)
    rows = []
    for image in images:
        rows.append(classifier.read_face(image))
        advance()
    return np.stack(rows)[:, label_indices(backend.card)]


def label_indices(card: ModelCard) -> list[int]:
    """Return the index of each of EMOTIONS among the card's labels, which may be in any order.

    Raises ModelError if the labels are not the seven emotions.
    """
    if set(card.labels) != set(EMOTIONS):
        raise ModelError(f"expected a model of {', '.join(EMOTIONS)}, found one of {', '.join(card.labels)}")
    return [card.labels.index(emotion) for emotion in EMOTIONS]


def keras_inputs(images: Image, size: int) -> Floats:
    """Return faces uint8 [n, 48, 48] as inputs float32 [n, size, size, 3], by the device's own preprocessing."""
    return np.stack([to_input(image, size) for image in images]).astype(np.float32)


def forward(model: keras.Model, inputs: Floats, eager: bool = False) -> Probabilities:
    """Return the probabilities [n, 7] of a batch of inputs float32 [n, size, size, 3].

    `eager` runs layer by layer, at half the speed. Distributed training (train.workers) needs it: its compiled
    functions run on all workers at once.
    """
    return np.asarray(model(inputs, training=False) if eager else model.predict_on_batch(inputs))


def predict_keras(
    model: keras.Model, images: Image, advance: Advance = no_progress, eager: bool = False
) -> Probabilities:
    """Return the probabilities [n, 7] of a Keras model for faces uint8 [n, 48, 48]; see `forward` for `eager`."""
    size = model.input_shape[1]
    rows = []
    for start in range(0, len(images), PREDICT_BATCH):
        batch = images[start : start + PREDICT_BATCH]
        rows.append(forward(model, keras_inputs(batch, size), eager))
        for _ in batch:
            advance()
    return np.concatenate(rows)

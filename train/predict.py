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
from train.progress import Advance, nothing
from train.runs import load_model

if TYPE_CHECKING:
    import keras

PREDICT_BATCH = 128


def predict(path: Path, images: Image, advance: Advance = nothing) -> Probabilities:
    """Probabilities [n, 7] of a .keras, .tflite or .onnx file for faces uint8 [n, 48, 48]."""
    if is_keras(path):
        require_keras()
        return predict_keras(load_model(path), images, advance)
    return predict_backend(open_backend(path), images, advance)


def is_keras(path: Path) -> bool:
    """Whether it is a model to be opened by Keras, and not an exported one; ModelError where it is neither."""
    if path.suffix not in {".keras", *BACKENDS}:
        raise ModelError(f"expected a model file .keras, {' or '.join(BACKENDS)}, found {path}")
    return path.suffix == ".keras"


def predict_backend(backend: Backend, images: Image, advance: Advance = nothing) -> Probabilities:
    """Probabilities [n, 7] of an exported model, face by face as on a device; `advance` is called after each."""
    classifier, order = Classifier(backend), in_our_order(backend.card)
    rows = []
    for image in images:
        rows.append(classifier.read_face(image))
        advance()
    return np.stack(rows)[:, order]


def in_our_order(card: ModelCard) -> list[int]:
    """Where each of EMOTIONS stands among a file's labels, whose order is its own to choose."""
    if set(card.labels) != set(EMOTIONS):
        raise ModelError(f"expected a model of {', '.join(EMOTIONS)}, found one of {', '.join(card.labels)}")
    return [card.labels.index(emotion) for emotion in EMOTIONS]


def keras_inputs(images: Image, size: int) -> Floats:
    """Faces uint8 [n, 48, 48] -> float32 [n, size, size, 3], through the device's own preprocessing."""
    return np.stack([to_input(image, size) for image in images]).astype(np.float32)


def forward(model: keras.Model, inputs: Floats, eager: bool = False) -> Probabilities:
    """Probabilities [n, 7] of a batch float32 [n, size, size, 3].

    `eager`: layer by layer, half as fast; among several workers (train.workers) the quick way is for all at once.
    """
    return np.asarray(model(inputs, training=False) if eager else model.predict_on_batch(inputs))


def predict_keras(model: keras.Model, images: Image, advance: Advance = nothing, eager: bool = False) -> Probabilities:
    """Probabilities [n, 7] of a Keras model for faces uint8 [n, 48, 48]; `advance` is called for each."""
    size = model.input_shape[1]
    rows = []
    for start in range(0, len(images), PREDICT_BATCH):
        batch = images[start : start + PREDICT_BATCH]
        rows.append(forward(model, keras_inputs(batch, size), eager))
        for _ in batch:
            advance()
    return np.concatenate(rows)

"""Predict emotions with a Keras model or an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.backend import BACKENDS, open_backend
from edge.backends.base import Backend
from edge.card import ModelCard
from edge.classifier import Classifier
from edge.errors import ModelError
from edge.label_names import CONTEMPT
from edge.labels import EMOTIONS
from edge.preprocess import to_input
from edge.values import Floats, Image, Probabilities
from train.extras import require_keras
from train.layouts.base import FACE_SIZE
from train.progress import Advance, no_progress
from train.recipe import model_classes, recipe_of
from train.runs import check_model_file, load_model
from train.store import Images, Mirrored

if TYPE_CHECKING:
    import keras

PREDICT_BATCH = 128


def predict(
    path: Path, images: Images | Mirrored, advance: Advance = no_progress, classes: Sequence[str] = EMOTIONS
) -> Probabilities:
    """Return the probabilities [n, classes] that a .keras, .tflite or .onnx file gives to faces uint8 [n, 48, 48].

    `advance` is called after each face. Raises ModelError if the file cannot be opened, or has other classes.
    """
    if not is_keras(path):
        return predict_backend(open_backend(path), images, advance, classes)
    check_model_file(path)
    require_keras()
    model = load_model(path)
    if (own := model_classes(path, model.output_shape[1])) != tuple(classes):
        raise ModelError(f"expected a model of {', '.join(classes)}, found one of {', '.join(own)}")
    return predict_keras(model, images, advance)


def classes_of(path: Path) -> tuple[str, ...]:
    """Return the classes of a .keras, .tflite or .onnx file; the seven emotions in their usual order."""
    if is_keras(path):
        check_model_file(path)
        recipe = recipe_of(path)
        classes = recipe.classes if recipe else EMOTIONS
    else:
        classes = open_backend(path).card.labels
    return EMOTIONS if set(classes) == set(EMOTIONS) else classes


def is_keras(path: Path) -> bool:
    """Return whether the suffix is that of a Keras model, not of an exported file; ModelError if it is neither."""
    if path.suffix not in {".keras", *BACKENDS}:
        if path.suffix in (".h5", ".hdf5") or path.is_dir():
            check_model_file(path)  # says how to export it
        raise ModelError(f"expected a model file .keras, {' or '.join(BACKENDS)}, found {path}")
    return path.suffix == ".keras"


def predict_backend(
    backend: Backend, images: Images | Mirrored, advance: Advance = no_progress, classes: Sequence[str] = EMOTIONS
) -> Probabilities:
    """Return the probabilities [n, classes] of an exported model for faces uint8 [n, 48, 48], one by one.

    Raises ModelError if it has other classes; see check_labels.
    """
    check_labels(backend.card, classes)
    classifier = Classifier(backend)
    rows = []
    for image in images:
        rows.append(classifier.read_face(image))
        advance()
    return by_class(np.stack(rows), backend.card, classes)


def check_labels(card: ModelCard, classes: Sequence[str] = EMOTIONS) -> None:
    """Raise ModelError unless a model can be judged on these classes: it may lack some, or know contempt as well."""
    others = set(card.labels) - set(classes) - {CONTEMPT}
    if others or len(set(card.labels) & set(classes)) < 2:
        raise ModelError(f"expected a model of {', '.join(classes)}, found one of {', '.join(card.labels)}")


def by_class(probabilities: Probabilities, card: ModelCard, classes: Sequence[str] = EMOTIONS) -> Probabilities:
    """Return probabilities [..., labels] as [..., classes]: 0 for a class that the model lacks, others left out."""
    rows = np.zeros((*probabilities.shape[:-1], len(classes)), dtype=np.float32)
    for i, name in enumerate(classes):
        if name in card.labels:
            rows[..., i] = probabilities[..., card.labels.index(name)]
    return rows


def label_indices(card: ModelCard, classes: Sequence[str] = EMOTIONS) -> list[int]:
    """Return the index of each class among the card's labels, which may be in any order.

    Raises ModelError if the labels are not these classes.
    """
    if set(card.labels) != set(classes):
        raise ModelError(f"expected a model of {', '.join(classes)}, found one of {', '.join(card.labels)}")
    return [card.labels.index(name) for name in classes]


def keras_inputs(images: Image, size: int, face_size: int = FACE_SIZE) -> Floats:
    """Return faces uint8 [n, 48, 48] as inputs float32 [n, size, size, 3], by the device's own preprocessing."""
    return np.stack([to_input(image, size, face_size) for image in images]).astype(np.float32)


def forward(model: keras.Model, inputs: Floats, eager: bool = False) -> Probabilities:
    """Return the probabilities [n, classes] of a batch of inputs float32 [n, size, size, 3].

    `eager` runs layer by layer, at half the speed. Distributed training (train.workers) needs it: its compiled
    functions run on all workers at once.
    """
    return np.asarray(model(inputs, training=False) if eager else model.predict_on_batch(inputs))


def predict_keras(
    model: keras.Model,
    images: Images | Mirrored,
    advance: Advance = no_progress,
    eager: bool = False,
    face_size: int = FACE_SIZE,
) -> Probabilities:
    """Return the probabilities [n, classes] of a Keras model for faces uint8 [n, 48, 48]; see `forward` for `eager`."""
    size = model.input_shape[1]
    rows = []
    for start in range(0, len(images), PREDICT_BATCH):
        batch = images[start : start + PREDICT_BATCH]
        rows.append(forward(model, keras_inputs(batch, size, face_size), eager))
        for _ in batch:
            advance()
    return np.concatenate(rows)

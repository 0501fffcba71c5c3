"""Trained models that a pupil learns from: what they say of the very pictures that it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np

from edge.classifier import open_backend
from edge.values import Floats, Probabilities
from train.evaluate import forward, in_our_order
from train.runs import load_model

Teacher = Callable[[Floats], Probabilities]  # float32 [n, size, size, 3] of any size, 0 to 255 -> [n, 7]


def open_teacher(path: Path, eager: bool = False) -> Teacher:
    """A .keras file, or what `export` makes of one: there float32 answers 1.9, int8 3.9 times as fast on a CPU.

    Exported models take whole grey levels, so the pictures are rounded for them. `eager`: see `forward`.
    """
    if path.suffix == ".keras":
        model = load_model(path)
        return lambda images: forward(model, resized(images, model.input_shape[1]), eager)
    backend = open_backend(path)
    order = in_our_order(backend.card)

    def say(images: Floats) -> Probabilities:
        pixels = resized(images, backend.card.input_size).round().clip(0, 255).astype(np.uint8)
        return np.stack([backend.run(face) for face in pixels])[:, order]

    return say


def mean_of(teachers: Sequence[Teacher], images: Floats) -> Floats:
    """What the teachers say on average, [n, 7]."""
    return np.asarray(np.mean([teacher(images) for teacher in teachers], axis=0), dtype=np.float32)


def resized(images: Floats, size: int) -> Floats:
    if images.shape[1] == size:
        return images
    return np.asarray(keras.ops.image.resize(images, (size, size)))

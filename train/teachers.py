"""Trained models that a pupil learns from: what they say of the very pictures that it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge.backend import open_backend
from edge.opencv import cv2
from edge.values import Floats, Probabilities
from train.predict import forward, in_our_order, is_keras
from train.runs import load_model

Teacher = Callable[[Floats], Probabilities]  # float32 [n, size, size, 3] of any size, 0 to 255 -> [n, 7]
HALF_A_STEP = 1 / 512  # int8 models answer in steps of 1/256: their 0 is anything below half of one


def open_teacher(path: Path, eager: bool = False) -> Teacher:
    """A .keras file, or what `export` makes of one: there float32 answers 1.9, int8 3.9 times as fast on a CPU.

    Exported models take whole grey levels, so the pictures are rounded for them. What an int8 model calls impossible
    is taken as half a step of its answers, or a temperature above 1 would make something of how it was rounded; what
    two unlikely emotions have of each other is lost all the same, so prefer float32 where time allows. `eager`: see
    `forward`.
    """
    if is_keras(path):
        model = load_model(path)
        return lambda images: forward(model, resized(images, model.input_shape[1]), eager)
    backend = open_backend(path)
    order, least = in_our_order(backend.card), HALF_A_STEP if backend.card.precision == "int8" else 0.0

    def say(images: Floats) -> Probabilities:
        pixels = resized(images, backend.card.input_size).round().astype(np.uint8)
        found = np.maximum(np.stack([backend.run(face) for face in pixels])[:, order], least)
        return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float32)

    return say


def mean_of(teachers: Sequence[Teacher], images: Floats) -> Floats:
    """What the teachers say on average, [n, 7]."""
    return np.asarray(np.mean([teacher(images) for teacher in teachers], axis=0), dtype=np.float32)


def resized(images: Floats, size: int) -> Floats:
    """The same pictures at another size, bilinear, as the device enlarges its faces."""
    if images.shape[1] == size:
        return images
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in images])

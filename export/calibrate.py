"""The faces that tell the quantizer which values occur: real, stratified by emotion, seeded, named by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.preprocess import to_input
from train.data import FaceSet

FACES = 301  # 43 of each emotion
SEED = 0


def sample(faces: FaceSet, count: int = FACES, seed: int = SEED) -> FaceSet:
    """The same number of faces of each emotion, from the training split alone."""
    if faces.split != "train":
        raise DataError(f"expected calibration faces from the training split, found {faces.split}")
    each = count // len(EMOTIONS)
    rng = np.random.default_rng(seed)
    chosen = []
    for label, emotion in enumerate(EMOTIONS):
        there = np.flatnonzero(faces.labels == label)
        if len(there) < each:
            raise DataError(f"expected {each} training faces of {emotion} to calibrate on, found {len(there)}")
        chosen.append(np.sort(rng.choice(there, each, replace=False)))
    return faces.take(np.concatenate(chosen))


def describe(faces: FaceSet, seed: int = SEED) -> dict[str, Any]:
    """What the card says of a calibration sample."""
    digest = hashlib.sha256(faces.images.tobytes()).hexdigest()
    each = {emotion: int((faces.labels == label).sum()) for label, emotion in enumerate(EMOTIONS)}
    return {"faces": len(faces), "per_class": each, "seed": seed, "sha256": digest}


def inputs(faces: FaceSet, size: int) -> Iterator[list[npt.NDArray[np.float32]]]:
    """The network's inputs, one by one, as TensorFlow's converter wants them: [float32 [1, size, size, 3]]."""
    for image in faces.images:
        yield [to_input(image, size)[None].astype(np.float32)]

"""Open the model to be exported: one that train made, or a Keras model from elsewhere."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.adopt import NOTHING, Description
from edge.card import ModelCard
from edge.label_names import CONTEMPT
from edge.labels import EMOTIONS
from edge.quiet import quiet
from export.folding import folded_model
from export.foreign import SUFFIXES, open_foreign
from train.layouts.base import FACE_SIZE
from train.recipe import Recipe, describe_training, model_classes, recipe_of
from train.runs import BACKBONE, load_model

if TYPE_CHECKING:
    import keras

FOLDING_ERROR = 1e-3  # of a probability: above it, folding has not understood a model from elsewhere


@dataclass(frozen=True)
class Subject:
    """Hold a model that maps pixels 0..255, [n, size, size, 3], to probabilities [n, labels], and what is known of it.

    `card` lacks what depends on the exported file. `identity` changes with the model and with how it is wrapped: a
    saved calibration belongs to one identity.
    """

    path: Path
    model: keras.Model
    folded: keras.Model  # see export.folding
    recipe: Recipe
    card: ModelCard
    identity: str

    @property
    def size(self) -> int:
        return self.card.input_size


def is_foreign(path: Path, about: Description) -> bool:
    """Return whether a model is from elsewhere: it is described, or in a format that train does not write."""
    return about != NOTHING or path.suffix in SUFFIXES[1:] or path.is_dir()


def own_subject(path: Path) -> Subject:
    """Open a model that train made."""
    model = load_model(path)
    recipe = recipe_of(path) or Recipe(data="")
    card = ModelCard(
        labels=model_classes(path, model.output_shape[1]),
        input_size=model.input_shape[1],
        face_size=FACE_SIZE,
        precision="float32",
        architecture=model.name,
        macs=multiply_adds(model),
        training_data=describe_training(path),
        targets="votes" if recipe.learns_votes else "labels",
        licence=recipe.licence(),
        keras_sha256=sha256(path),
    )
    return Subject(path, model, folded_model(model), recipe, card, card.keras_sha256)


def foreign_subject(path: Path, about: Description) -> Subject:
    """Open a Keras model from elsewhere; see export.foreign."""
    model, described = open_foreign(path, about)
    recipe = Recipe(data="", classes=described.labels, ignore=tuple({*EMOTIONS, CONTEMPT} - set(described.labels)))
    card = ModelCard(
        labels=described.labels,
        input_size=described.input_size,
        face_size=described.face_size,
        precision="float32",
        architecture=described.architecture,
        colour=described.colour,
        macs=multiply_adds(model),
        training_data=described.training_data,
        licence=described.licence,
        keras_sha256=sha256(path),
    )
    identity = hashlib.sha256(f"{card.keras_sha256} {about}".encode()).hexdigest()
    return Subject(path, model, _folded(model), recipe, card, identity)


def _folded(model: keras.Model) -> keras.Model:
    """Return the folded model or, where its layers are not as folding expects, the model itself."""
    faces = np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:])).astype(np.float32)
    try:
        with quiet():
            folded = folded_model(model)
            difference = np.abs(np.asarray(folded(faces)) - np.asarray(model(faces, training=False))).max()
    except Exception:  # layers of others may do anything
        return model
    return folded if difference <= FOLDING_ERROR else model


def sha256(path: Path) -> str:
    """Return the hash of a file, or of all files in a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(item for item in path.rglob("*") if item.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def multiply_adds(model: keras.Model) -> int | None:
    """Return the multiply-adds of one inference [MobileNetV2 at 96 pixels: 56 M]; None where no layer tells them."""
    total = 0
    for layer in model.get_layer(BACKBONE).layers + model.layers:
        names = ("kernel",) if hasattr(layer, "kernel") else ("depthwise_kernel", "pointwise_kernel")
        kernels = [getattr(layer, name) for name in names if hasattr(layer, name)]
        if kernels:
            positions = math.prod(layer.output.shape[1:-1])  # where the kernel is applied; 1 for a dense layer
            total += positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return total or None

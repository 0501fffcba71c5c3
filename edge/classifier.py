"""A model file, ready to read faces, whatever its format."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge.card import ModelCard
from edge.errors import ModelError
from edge.preprocess import crop, to_input
from edge.values import Box, Image, Probabilities

SHIPPED = Path(__file__).parent / "models" / "emotion_int8.tflite"
BACKENDS = {".tflite": "edge.backends.litert:LiteRT", ".onnx": "edge.backends.onnxruntime:OnnxRuntime"}


class Backend(Protocol):
    """One runtime with one model loaded."""

    name: str
    card: ModelCard
    raw: Callable[..., Any]  # the library call inside, which the benchmarks time alone

    def __init__(self, path: Path, threads: int) -> None: ...

    def run(self, pixels: Image) -> Probabilities:
        """uint8 [size, size, 3] RGB -> float32 [labels]."""
        ...


def open_backend(path: Path, threads: int = 1) -> Backend:
    """Load a model file by its suffix; raises ModelError, or MissingExtra where the runtime is absent."""
    if path.suffix not in BACKENDS:
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}")
    if not path.is_file():
        raise ModelError(f"no model at {path}; the shipped one is {SHIPPED}")
    module, name = BACKENDS[path.suffix].split(":")
    backend: Backend = getattr(importlib.import_module(module), name)(path, threads)
    return backend


def check_graph(
    path: Path, card: ModelCard, input_shape: Iterable[int], input_type: object, output_shape: Iterable[int]
) -> None:
    """Raise ModelError unless the graph is what its card says: uint8 [1, size, size, 3] -> [1, labels]."""
    expected = [1, card.input_size, card.input_size, 3]
    if list(output_shape) != [1, len(card.labels)]:
        raise ModelError(f"expected {len(card.labels)} outputs, one a label, in {path}, found {list(output_shape)}")
    if list(input_shape) != expected or input_type != np.uint8:
        raise ModelError(f"expected an input uint8 {expected} in {path}, found {input_type} {list(input_shape)}")


class Classifier:
    """Faces of a picture -> probabilities. Make it once; a call allocates nothing that stays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.card = backend.card

    def read_face(self, face: Image) -> Probabilities:
        """An aligned face, grey or BGR, uint8, such as a FER-2013 picture -> float32 [7]."""
        return self.backend.run(to_input(face, self.card.input_size, self.card.face_size))

    def read(self, image: Image, box: Box) -> Probabilities:
        """The face inside `box` of a picture -> float32 [7]."""
        return self.read_face(crop(image, box, self.card.crop_margin))

"""Open a model file with the runtime that its format needs."""

from __future__ import annotations

import importlib
from pathlib import Path

from edge.backends.base import Backend
from edge.errors import ModelError

SHIPPED = Path(__file__).parent / "models" / "emotion_int8.tflite"
BACKENDS = {".tflite": "edge.backends.litert:LiteRT", ".onnx": "edge.backends.onnxruntime:OnnxRuntime"}


def open_backend(path: Path, threads: int = 1) -> Backend:
    """Load a model file by its suffix; raises ModelError, or MissingExtra where the runtime is absent."""
    if path.suffix not in BACKENDS:
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}")
    if not path.is_file():
        raise ModelError(f"no model at {path}; the shipped one is {SHIPPED}")
    module, name = BACKENDS[path.suffix].split(":")
    backend: Backend = getattr(importlib.import_module(module), name)(path, threads)
    return backend

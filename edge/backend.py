"""Open a model file with the runtime that its format needs."""

from __future__ import annotations

import importlib
from pathlib import Path

from edge.backends.base import Backend
from edge.errors import ModelError, UsageError

SHIPPED = Path(__file__).parent / "models" / "emotion_int8.tflite"
BACKENDS = {".tflite": "edge.backends.litert:LiteRT", ".onnx": "edge.backends.onnxruntime:OnnxRuntime"}
MAX_THREADS = 64


def open_backend(path: Path, threads: int = 1) -> Backend:
    """Load a model file with the runtime of its suffix.

    Raises UsageError for a wrong number of threads, ModelError for a file that is missing or of another kind, and
    MissingExtra if the runtime is not installed.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"expected 1 to {MAX_THREADS} threads, found {threads}")
    if path.suffix not in BACKENDS:
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}")
    if not path.is_file():
        raise ModelError(f"no model at {path}; check the path (the shipped model is {SHIPPED})")
    module, name = BACKENDS[path.suffix].split(":")
    backend: Backend = getattr(importlib.import_module(module), name)(path, threads)
    return backend

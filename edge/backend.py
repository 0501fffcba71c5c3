"""Open a model file with the runtime that its format needs."""

from __future__ import annotations

import importlib
from pathlib import Path

from edge.backends.base import Backend
from edge.errors import ModelError, UsageError
from edge.model_file import read_model_file
from edge.self_check import self_check

SHIPPED = Path(__file__).parent / "models" / "emotion_int8.tflite"
BACKENDS = {".tflite": "edge.backends.litert:LiteRT", ".onnx": "edge.backends.onnxruntime:OnnxRuntime"}
MAX_THREADS = 64


def open_backend(path: Path, threads: int = 1) -> Backend:
    """Load a model file with the runtime of its suffix.

    Raises UsageError for a wrong number of threads, ModelError for a file that is missing, damaged or of another kind
    and for a runtime that computes something else, and MissingExtra if the runtime is not installed.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"expected 1 to {MAX_THREADS} threads, found {threads}")
    if path.suffix not in BACKENDS:
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}")
    model = read_model_file(path)
    module, name = BACKENDS[path.suffix].split(":")
    backend: Backend = getattr(importlib.import_module(module), name)(model, threads)
    check = self_check(backend)
    if not check.passed:
        raise ModelError(f"{path}: {check}; install another version of {backend.name}")
    return backend

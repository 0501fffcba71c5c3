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
EXPORT = "export it, where TensorFlow is: python -m export.tflite --int8 --model {path}"
FOREIGN = {  # suffix of a model that runs on no device -> what to do
    **dict.fromkeys((".keras", ".h5", ".hdf5", ".pb"), EXPORT),
    **dict.fromkeys((".pt", ".pth"), "export it with torch.onnx.export, then give it a card: edge-emotion adopt"),
}


def check_suffix(path: Path) -> None:
    """Raise ModelError unless the suffix is that of a runtime; the message says how to make such a file."""
    if path.suffix not in BACKENDS:
        hint = FOREIGN.get(path.suffix.lower(), EXPORT if (path / "saved_model.pb").is_file() else "check --model")
        model = path.parent if path.name == "saved_model.pb" else path
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}; {hint.format(path=model)}")


def backend_class(path: Path) -> type[Backend]:
    """Return the class that runs a file, by its suffix."""
    module, name = BACKENDS[path.suffix].split(":")
    chosen: type[Backend] = getattr(importlib.import_module(module), name)
    return chosen


def open_backend(path: Path, threads: int = 1) -> Backend:
    """Load a model file with the runtime of its suffix.

    Raises UsageError for a wrong number of threads, ModelError for a file that is missing, damaged or of another kind
    and for a runtime that computes something else, and MissingExtra if the runtime is not installed.
    """
    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"expected 1 to {MAX_THREADS} threads, found {threads}")
    check_suffix(path)
    model = read_model_file(path)
    backend = backend_class(path)(model, threads)
    check = self_check(backend)
    if not check.passed:
        raise ModelError(f"{path}: {check}; install another version of {backend.name}")
    return backend

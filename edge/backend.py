"""Open a model file with the runtime that its format needs."""

from __future__ import annotations

import importlib
from pathlib import Path

from edge.backends.base import Backend
from edge.errors import ModelError, UsageError
from edge.model_file import read_model_file
from edge.self_check import self_check

SHIPPED = Path(__file__).parent / "models" / "emotion_int8.tflite"
NAMED = {name: SHIPPED.with_name(f"emotion_{name}_int8.tflite") for name in ("tiny", "labels")}
BACKENDS = {".tflite": "edge.backends.litert:LiteRT", ".onnx": "edge.backends.onnxruntime:OnnxRuntime"}
MAX_THREADS = 64
EXPORT = "export it, where TensorFlow is: python -m export.tflite --int8 --model {path}"
ADOPT = "give it a card: edge-emotion adopt {path} --labels ... -o OUT"
THEN_ADOPT = "then give that file a card: edge-emotion adopt"
WAYS_OUT = {  # suffix of a model -> what to do where it is not expected
    **dict.fromkeys((".keras", ".h5", ".hdf5"), EXPORT),
    **dict.fromkeys(BACKENDS, ADOPT),
    **dict.fromkeys((".pt", ".pth"), f"export it with torch.onnx.export, {THEN_ADOPT}"),
    ".pb": f"convert a frozen graph with python -m tf2onnx.convert --graphdef, {THEN_ADOPT}",
    ".zip": "unpack it, and name the model inside",
}


def model_path(name: Path | str) -> Path:
    """Return the file of a shipped model that is called by its short name, see NAMED; any other path as it is."""
    return NAMED.get(str(name), Path(name))


def check_suffix(path: Path) -> None:
    """Raise ModelError unless the suffix is that of a runtime; the message says how to make such a file."""
    if path.suffix not in BACKENDS:
        raise ModelError(f"expected a model file {' or '.join(BACKENDS)}, found {path}; {way_out(path)}")


def way_out(path: Path) -> str:
    """Return what to do with a model that is not of the kind that was expected."""
    if path.name == "saved_model.pb":
        path = path.parent
    if (path / "saved_model.pb").is_file():
        return EXPORT.format(path=path)
    return WAYS_OUT.get(path.suffix.lower(), "check --model").format(path=path)


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
    if not isinstance(threads, int) or not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"expected 1 to {MAX_THREADS} threads, found {threads!r}")
    check_suffix(path)
    model = read_model_file(path)
    backend = backend_class(path)(model, threads)
    check = self_check(backend)
    if not check.passed:
        raise ModelError(f"{path}: {check}; install another version of {backend.name}")
    return backend

"""TensorFlow Lite models: ai-edge-litert, or tflite-runtime where that is what is installed. Never tensorflow."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edge.backends.base import check_graph
from edge.card import read_tflite_card
from edge.errors import ModelError
from edge.quiet import quiet
from edge.values import Image, Probabilities

RUNTIMES = {  # in the order of preference
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


def _interpreter_class() -> tuple[str, Any]:
    reasons = []
    for package, module in RUNTIMES.items():
        try:
            return package, importlib.import_module(module).Interpreter
        except ImportError as error:
            reasons.append(str(error).splitlines()[0])
    raise ModelError(
        f"needs a runtime for .tflite files, found none ({'; '.join(reasons)}); run: pip install ai-edge-litert "
        "(or, with Python up to 3.11 and numpy 1, tflite-runtime)"
    )


def open_interpreter(path: Path, threads: int) -> tuple[str, Any]:
    """The runtime's name and an interpreter with its tensors allocated; ModelError where it cannot load the file."""
    if not path.is_file():
        raise ModelError(f"no model at {path}; check the name")
    name, interpreter_class = _interpreter_class()
    try:
        with quiet():
            interpreter = interpreter_class(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"expected a TFLite model, cannot load {path}: {str(error).splitlines()[0]}") from error
    return name, interpreter


class LiteRT:
    """One interpreter, created once, with its tensors allocated."""

    def __init__(self, path: Path, threads: int) -> None:
        self.card = read_tflite_card(path)
        self.name, self._interpreter = open_interpreter(path, threads)
        self.invoke = self._interpreter.invoke
        given, taken = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._output = given[0]["index"], taken[0]["index"]
        self._scale, self._zero_point = taken[0]["quantization"]
        check_graph(path, self.card, given[0]["shape"], given[0]["dtype"], taken[0]["shape"])

    def run(self, pixels: Image) -> Probabilities:
        """uint8 [size, size, 3] RGB -> float32 [labels]; a quantized output is dequantized here, and only here."""
        self._interpreter.set_tensor(self._input, pixels[None])
        self.invoke()
        values = self._interpreter.get_tensor(self._output)[0]
        if self._scale:
            return (values.astype(np.float32) - self._zero_point) * np.float32(self._scale)
        return np.asarray(values, dtype=np.float32)

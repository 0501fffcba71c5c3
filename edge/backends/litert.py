"""TensorFlow Lite models: ai-edge-litert, or tflite-runtime where that is what is installed. Never tensorflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.card import read_tflite_card
from edge.classifier import check_graph
from edge.errors import MissingExtra, ModelError
from edge.quiet import quiet
from edge.values import Image, Probabilities


def _interpreter_class() -> tuple[str, Any]:
    try:
        from ai_edge_litert.interpreter import Interpreter

        return "ai-edge-litert", Interpreter
    except ImportError:
        pass
    try:
        from tflite_runtime.interpreter import Interpreter

        return "tflite-runtime", Interpreter
    except ImportError as error:
        raise MissingExtra("ai-edge-litert (or tflite-runtime, Python up to 3.11 and numpy 1)", "headless") from error


class LiteRT:
    """One interpreter, created once, with its tensors allocated."""

    def __init__(self, path: Path, threads: int) -> None:
        self.name, interpreter_class = _interpreter_class()
        self.card = read_tflite_card(path)
        try:
            with quiet():
                self._interpreter = interpreter_class(model_path=str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"expected a TFLite model, cannot load {path}: {str(error).splitlines()[0]}") from error
        given, taken = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._output = given[0]["index"], taken[0]["index"]
        self._scale, self._zero_point = taken[0]["quantization"]
        check_graph(path, self.card, given[0]["shape"], given[0]["dtype"])

    def run(self, pixels: Image) -> Probabilities:
        """uint8 [size, size, 3] RGB -> float32 [labels]; a quantized output is dequantized here, and only here."""
        self._interpreter.set_tensor(self._input, pixels[None])
        self._interpreter.invoke()
        values = self._interpreter.get_tensor(self._output)[0]
        if self._scale:
            return (values.astype(np.float32) - self._zero_point) * np.float32(self._scale)
        return np.asarray(values, dtype=np.float32)

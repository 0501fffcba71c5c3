"""Run TensorFlow Lite models with ai-edge-litert, or with tflite-runtime if only that is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edge.backends.tensors import Signature, Tensor, Tensors, check_signature
from edge.errors import ModelError
from edge.model_file import ModelFile
from edge.quiet import quiet
from edge.values import Floats, Image, Probabilities

RUNTIMES = {  # package -> module, in order of preference
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}


def _interpreter_class() -> tuple[str, Any]:
    """Return the name of the installed runtime and its Interpreter class."""
    reasons = []
    for package, module in RUNTIMES.items():
        try:
            return package, importlib.import_module(module).Interpreter
        except ImportError as error:
            reasons.append(str(error).splitlines()[0])
    from edge.support import machine_problem, python_problem, this_machine  # here: only where there is a problem

    machine = this_machine()
    problem = machine_problem(machine) or python_problem(machine)
    hint = "run: pip install ai-edge-litert (or, with Python up to 3.11 and numpy 1, tflite-runtime)"
    raise ModelError(
        f"needs a runtime for .tflite files, found none ({'; '.join(reasons)}); "
        f"{f'{problem.text}; {problem.fix}' if problem else hint}"
    )


def open_interpreter(graph: bytes, path: Path, threads: int) -> tuple[str, Any]:
    """Return the runtime's name and an interpreter with allocated tensors for a flatbuffer, which was read from `path`.

    Raises ModelError for one that cannot be loaded.
    """
    name, interpreter_class = _interpreter_class()
    try:
        with quiet():
            interpreter = interpreter_class(model_content=graph, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"expected a TFLite model, cannot load {path}: {reason}") from error
    return name, interpreter


def _signature(interpreter: Any, precision: str) -> Signature:
    def described(details: list[dict[str, Any]]) -> tuple[Tensor, ...]:
        return tuple(Tensor.of(item["shape"], np.dtype(item["dtype"]).name) for item in details)

    inputs = described(interpreter.get_input_details())
    return Signature(inputs, described(interpreter.get_output_details()), precision)


def _precision(interpreter: Any) -> str:
    """Tell the precision from the tensors: biases of 32 bits mean integer activations, int8 alone kernels of int8."""
    tensors = interpreter.get_tensor_details()
    types = {np.dtype(item["dtype"]).name for item in tensors}
    if any(item["dtype"] == np.int32 and len(item["quantization_parameters"]["scales"]) for item in tensors):
        return "int8"
    return "dynamic" if "int8" in types else "float16" if "float16" in types else "float32"


def _dequantized(output: dict[str, Any], path: Path) -> Floats | None:
    """Return what each value of a quantized output stands for, indexed by that value; None for an output of floats.

    This is the only place where an output is dequantized. Raises ModelError for one of more than 16 bits.
    """
    scale, zero_point = output["quantization"]
    if not scale:
        return None
    dtype = np.dtype(output["dtype"])
    if dtype.itemsize > 2:
        raise ModelError(f"expected outputs of 8 or 16 bits in {path}, found {dtype}; export it with float outputs")
    values = np.arange(1 << 8 * dtype.itemsize).astype(dtype)  # negative ones last: they are indexed from the end
    dequantized: Floats = (values.astype(np.float32) - zero_point) * np.float32(scale)
    return dequantized


class LiteRT:
    """Hold one interpreter with allocated tensors."""

    def __init__(self, model: ModelFile, threads: int) -> None:
        self.card = model.card
        self.threads = threads
        self._model = model
        self.name, self._interpreter = open_interpreter(model.graph, model.path, threads)
        self.invoke = self._interpreter.invoke
        inputs = self._interpreter.get_input_details()[0]
        outputs = self._interpreter.get_output_details()[0]
        check_signature(model.card, _signature(self._interpreter, model.card.precision), str(model.path))
        self._tensors = Tensors(model.card, inputs["quantization"], _dequantized(outputs, model.path))
        self._input_index = inputs["index"]
        self._output_index = outputs["index"]

    @staticmethod
    def signature(graph: bytes, path: Path) -> Signature:
        interpreter = open_interpreter(graph, path, 1)[1]
        return _signature(interpreter, _precision(interpreter))

    def another(self) -> LiteRT:
        return LiteRT(self._model, threads=1)

    def run(self, pixels: Image) -> Probabilities:
        """Return float32 [labels] for uint8 [size, size, 3] RGB."""
        self._interpreter.set_tensor(self._input_index, self._tensors.input(pixels))
        self.invoke()
        return self._tensors.probabilities(self._interpreter.get_tensor(self._output_index))

"""Run ONNX models with ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.backends.tensors import Signature, Tensor, Tensors, check_signature
from edge.errors import MissingExtra, ModelError
from edge.model_file import ModelFile
from edge.values import Image, Probabilities

TYPES = {"tensor(float)": "float32", "tensor(float16)": "float16"}  # tensor(uint8) and others are called as in numpy


def _session(graph: bytes, path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        reason = str(error).partition("\n")[0]
        raise ModelError(f"expected an ONNX model, cannot load {path}: {reason}") from error


def _precision(graph: bytes) -> str:
    """Tell the precision from the names of the operators, which a file holds as text."""
    if b"ConvInteger" in graph or b"DynamicQuantizeLinear" in graph:
        return "dynamic"
    return "int8" if b"DequantizeLinear" in graph or b"QLinearConv" in graph else "float32"


def _signature(session: Any, precision: str) -> Signature:
    def described(items: list[Any]) -> tuple[Tensor, ...]:
        names = [TYPES.get(item.type, item.type.removeprefix("tensor(").removesuffix(")")) for item in items]
        return tuple(Tensor.of(item.shape, name) for item, name in zip(items, names, strict=True))

    return Signature(described(session.get_inputs()), described(session.get_outputs()), precision)


class OnnxRuntime:
    """Hold one inference session."""

    name = "onnxruntime"

    def __init__(self, model: ModelFile, threads: int) -> None:
        self._session = _session(model.graph, model.path, threads)
        self.card = model.card
        self.threads = threads
        self._model = model
        check_signature(model.card, _signature(self._session, model.card.precision), str(model.path))
        self._tensors = Tensors(model.card)
        self._input_name = self._session.get_inputs()[0].name
        self.invoke = self._session.run

    @staticmethod
    def signature(graph: bytes, path: Path) -> Signature:
        return _signature(_session(graph, path, 1), _precision(graph))

    def another(self) -> OnnxRuntime:
        return self if self.threads == 1 else OnnxRuntime(self._model, threads=1)  # threads may share a session

    def run(self, pixels: Image) -> Probabilities:
        """Return float32 [labels] for uint8 [size, size, 3] RGB."""
        return self._tensors.probabilities(self.invoke(None, {self._input_name: self._tensors.input(pixels)})[0])

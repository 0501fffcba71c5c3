"""Run ONNX models with ONNX Runtime on the CPU."""

from __future__ import annotations

import numpy as np

from edge.backends.base import check_graph
from edge.errors import MissingExtra, ModelError
from edge.model_file import ModelFile
from edge.values import Image, Probabilities


class OnnxRuntime:
    """Hold one inference session."""

    name = "onnxruntime"

    def __init__(self, model: ModelFile, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        try:
            self._session = onnxruntime.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            reason = str(error).partition("\n")[0]
            raise ModelError(f"expected an ONNX model, cannot load {model.path}: {reason}") from error
        self.card = model.card
        inputs = self._session.get_inputs()[0]
        outputs = self._session.get_outputs()[0]
        input_type = np.uint8 if inputs.type == "tensor(uint8)" else inputs.type
        check_graph(model, inputs.shape, input_type, outputs.shape)
        self._input_name = inputs.name
        self.invoke = self._session.run

    def another(self) -> OnnxRuntime:
        return self  # threads may share a session

    def run(self, pixels: Image) -> Probabilities:
        """Return float32 [labels] for uint8 [size, size, 3] RGB."""
        values = self.invoke(None, {self._input_name: pixels[None]})[0][0]
        return np.asarray(values, dtype=np.float32)

"""ONNX models on ONNX Runtime's CPU provider."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.backends.base import check_graph
from edge.card import ONNX_KEY, ModelCard
from edge.errors import MissingExtra, ModelError
from edge.values import Image, Probabilities


class OnnxRuntime:
    """One session, created once."""

    name = "onnxruntime"

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no public base class
            raise ModelError(f"expected an ONNX model, cannot load {path}: {str(error).splitlines()[0]}") from error
        properties = self._session.get_modelmeta().custom_metadata_map
        if ONNX_KEY not in properties:
            raise ModelError(f"expected a model with a card inside, found none in {path}; make one with export")
        self.card = ModelCard.from_json(properties[ONNX_KEY], path)
        given, taken = self._session.get_inputs()[0], self._session.get_outputs()[0]
        self._input, self.invoke = given.name, self._session.run
        kind = np.uint8 if given.type == "tensor(uint8)" else given.type
        check_graph(path, self.card, given.shape, kind, taken.shape)

    def run(self, pixels: Image) -> Probabilities:
        """uint8 [size, size, 3] RGB -> float32 [labels]."""
        values = self.invoke(None, {self._input: pixels[None]})[0][0]
        return np.asarray(values, dtype=np.float32)

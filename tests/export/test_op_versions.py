"""Specify the versions of operators: an old runtime refuses what it cannot compute, OpenVINO reads the int8 file."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.model_file import read_model_file
from edge.preprocess import to_input
from export.op_versions import stamp
from export.verify import validation_faces

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs ai-edge-litert's schema")
TYPES = {"f": schema.TensorType.FLOAT32, "i": schema.TensorType.INT8, "u": schema.TensorType.UINT8}


def tensor(kind: str) -> Any:
    """Return a tensor: f, i or u for its type, and its scales: one, or with `c` one a channel."""
    scales = [0.1, 0.2] if kind.endswith("c") else [0.5]
    return SimpleNamespace(type=TYPES[kind[0]], quantization=SimpleNamespace(scale=scales))


def stamped(name: str, inputs: str, output: str, version: int = 1, **options: bool) -> Any:
    """Return the operator code of a graph of one operator after stamping it."""
    kinds = inputs.split()
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.version = version
    flags = {"asymmetricQuantizeInputs": False, "keepNumDims": False, **options}
    indices = [-1 if kind == "-" else index for index, kind in enumerate(kinds)]
    operator = SimpleNamespace(
        opcodeIndex=0, inputs=indices, outputs=[len(kinds)], builtinOptions=SimpleNamespace(**flags)
    )
    tensors = [tensor("f" if kind == "-" else kind) for kind in (*kinds, output)]
    graph = SimpleNamespace(operators=[operator], tensors=tensors)
    stamp(SimpleNamespace(operatorCodes=[code], subgraphs=[graph]))
    return code


@pytest.mark.parametrize(
    ("name", "inputs", "output", "version"),
    [
        ("CONV_2D", "f f f", "f", 1),
        ("CONV_2D", "i ic i", "i", 3),
        ("CONV_2D", "f i f", "f", 2),
        ("CONV_2D", "f ic f", "f", 5),
        ("DEPTHWISE_CONV_2D", "i ic i", "i", 3),
        ("DEPTHWISE_CONV_2D", "f ic f", "f", 6),
        ("FULLY_CONNECTED", "i ic i", "i", 4),
        ("FULLY_CONNECTED", "f i f", "f", 3),
        ("FULLY_CONNECTED", "f ic f", "f", 12),  # what tflite-runtime 2.14 accepted and computed wrong
        ("FULLY_CONNECTED", "f f", "f", 6),
        ("FULLY_CONNECTED", "f f -", "f", 1),
        ("MUL", "i i", "i", 2),
        ("MUL", "i i", "ic", 3),  # 0.5 * 0.5 / 0.1 is above 1
        ("ADD", "i i", "i", 2),
        ("MEAN", "i f", "i", 2),
        ("DEQUANTIZE", "i", "f", 2),
        ("DEQUANTIZE", "ic", "f", 5),
        ("QUANTIZE", "f", "i", 1),
        ("RESHAPE", "i f", "i", 1),
        ("SPLIT", "f i", "i", 2),
        ("CAST", "u", "f", 1),
    ],
)
def test_versions_are_those_of_tensorflows_converter(name: str, inputs: str, output: str, version: int) -> None:
    assert stamped(name, inputs, output).version == version


def test_a_version_is_never_lowered() -> None:
    assert stamped("ADD", "f f", "f", version=6).version == 6


@pytest.mark.parametrize(("name", "deprecated"), [("ADD", 0), ("QUANTIZE", 114), ("GELU", 127)])
def test_the_deprecated_code_has_one_byte(name: str, deprecated: int) -> None:
    assert stamped(name, "i i", "i").deprecatedBuiltinCode == deprecated


def test_the_shipped_model_is_stamped() -> None:
    model = schema.Model.GetRootAs(read_model_file(SHIPPED).graph, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    versions = {code.BuiltinCode(): code.Version() for code in codes}
    operators = schema.BuiltinOperator
    assert versions[operators.CONV_2D] == versions[operators.DEPTHWISE_CONV_2D] == 3
    assert versions[operators.FULLY_CONNECTED] == 4
    assert all(code.DeprecatedBuiltinCode() == code.BuiltinCode() for code in codes)


def test_openvino_answers_as_litert_does() -> None:
    """Run the shipped file in OpenVINO; without its own integer kernels, which saturate on processors without VNNI."""
    openvino = pytest.importorskip("openvino", reason="needs the openvino package (pip install openvino)")
    settings = {"LP_TRANSFORMS_MODE": "NO"}
    request = openvino.Core().compile_model(str(SHIPPED), "CPU", settings).create_infer_request()
    backend = open_backend(SHIPPED)
    differences = []
    for face in validation_faces(None).images:
        pixels = to_input(face, backend.card.input_size)
        (output,) = request.infer({0: pixels[None]}).values()
        differences.append(np.abs(output[0].astype(np.float32) / 256 - backend.run(pixels)))
    assert np.mean(differences) < 0.005
    assert np.max(differences) < 0.1

"""Stamp the operators of a quantized TFLite graph with their true versions, as TensorFlow's converter does.

AI Edge Quantizer stamps every operator as version 1. A runtime too old for an operator then accepts it and computes
something else: tflite-runtime 2.14 runs the per-channel kernels of a dynamic file's dense layer with one scale and
answers the same emotion for every face. With the true version, it refuses the file. OpenVINO reads the operators'
deprecated codes, which the quantizer leaves out.

The versions are those of GetBuiltinOperatorVersion in LiteRT's tflite/converter/tools/versioning/op_version.cc, for
the types that the quantizer writes: floats, and int8 with or without a scale per channel.
"""

from __future__ import annotations

from typing import Any

# Versions for an int8 input; operators that are not listed, such as RESHAPE, have one version for every type.
INT8_VERSIONS = {
    "DEPTHWISE_CONV_2D": 3,
    "CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "CAST": 3,
    "REVERSE_V2": 3,
    "TILE": 3,
    "BROADCAST_TO": 3,
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"), 2),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "ARG_MAX", "ARG_MIN"), 2),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_NORMALIZATION", "BATCH_MATMUL", "TRANSPOSE_CONV"), 2),
    **dict.fromkeys(("RELU", "RELU6", "TANH", "LOGISTIC", "SOFTMAX", "LOG_SOFTMAX", "GELU", "ABS", "EXP", "LOG"), 2),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "GATHER", "PACK"), 2),
    **dict.fromkeys(("UNPACK", "SPLIT", "SPLIT_V", "CONCATENATION", "SELECT", "SQRT", "RSQRT", "DEQUANTIZE"), 2),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), 2),
    **dict.fromkeys(("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "EQUAL", "NOT_EQUAL", "GREATER", "LESS"), 2),
}
# Versions for floats with int8 kernels: one scale, or a scale per channel.
HYBRID_VERSIONS = {"CONV_2D": (2, 5), "DEPTHWISE_CONV_2D": (4, 6), "FULLY_CONNECTED": (3, 12)}
DATA_INPUT = {"SPLIT": 1, "TRANSPOSE_CONV": 1}  # the input whose type counts, where it is not the first
PLACEHOLDER = 127  # the deprecated code, of one byte, of operators with a greater one


def stamp(model: Any) -> None:
    """Set versions and deprecated codes of an unpacked model's operators; never lower a version.

    `model` is a ModelT of ai_edge_litert.schema_py_generated.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode = min(code.builtinCode, PLACEHOLDER)
    for graph in model.subgraphs:
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            inputs: list[Any] = [graph.tensors[index] if index >= 0 else None for index in operator.inputs]
            if inputs:  # an operator without any has one version
                version = _version(names[code.builtinCode], inputs, graph.tensors[operator.outputs[0]], operator)
                code.version = max(code.version, version)


def _version(name: str, inputs: list[Any], output: Any, operator: Any) -> int:
    """Return the lowest version of an operator that computes these tensors."""
    from ai_edge_litert import schema_py_generated as schema

    int8 = schema.TensorType.INT8
    options = operator.builtinOptions
    data = inputs[DATA_INPUT.get(name, 0)]
    if name in HYBRID_VERSIONS and data.type == schema.TensorType.FLOAT32 and inputs[1].type == int8:
        if name == "FULLY_CONNECTED" and options.asymmetricQuantizeInputs and not _is_per_channel(inputs[1]):
            return 9
        return HYBRID_VERSIONS[name][_is_per_channel(inputs[1])]
    if name == "FULLY_CONNECTED" and len(inputs) == 2:
        return 6
    if name == "FULLY_CONNECTED" and options.keepNumDims:
        return 5
    if name == "QUANTIZE":
        return 3 if _is_per_channel(output) else 1
    if name == "DEQUANTIZE" and data.type == int8 and _is_per_channel(data):
        return 5
    if name == "MUL" and data.type == int8 and _scale(inputs[0]) * _scale(inputs[1]) >= _scale(output):
        return 3
    return INT8_VERSIONS.get(name, 1) if data.type == int8 else 1


def _is_per_channel(tensor: Any) -> bool:
    return tensor.quantization is not None and len(_scales(tensor)) > 1


def _scale(tensor: Any) -> float:
    return float(_scales(tensor)[0])


def _scales(tensor: Any) -> Any:
    return () if tensor.quantization.scale is None else tensor.quantization.scale

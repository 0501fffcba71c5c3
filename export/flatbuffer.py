"""Add to a TFLite flatbuffer what the converters leave out: a uint8 interface, versions and the standard metadata.

The schemas are tensorflow/lite/schema/schema.fbs, which ai-edge-litert brings as Python classes, and
tflite-support's metadata_schema.fbs, of which only the fields used here are written, by their numbers there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.card import ModelCard
from edge.model_file import CARD_FILE, LABELS_FILE
from export.op_versions import stamp

METADATA = b"TFLITE_METADATA"
IMAGE_PROPERTIES = 2  # of the union ContentProperties
NORMALIZATION = 1  # of the union ProcessUnitOptions
RGB = 1  # ColorSpaceType
AXIS_LABELS, DESCRIPTIONS = 2, 1  # AssociatedFileType


def with_uint8_interface(content: bytes, output: bool = True) -> bytes:
    """Return an int8 graph that ends in floats with uint8 input and, if `output`, output: a QUANTIZE at each end.

    The pixels are shifted by 128; a probability is a multiple of 1/256.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _unpacked(content)
    graph = model.subgraphs[0]
    signature = model.signatureDefs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    model.operatorCodes.append(code)

    def quantize(source: int, target: int) -> Any:
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs = [source]
        operator.outputs = [target]
        return operator

    def uint8_twin(index: int, scale: float, zero_point: int) -> int:
        tensor = graph.tensors[index]
        twin = copy.copy(tensor)
        twin.type = schema.TensorType.UINT8
        twin.quantization = schema.QuantizationParametersT()
        twin.quantization.scale = [scale]
        twin.quantization.zeroPoint = [zero_point]
        tensor.name += b"/inside"
        graph.tensors.append(twin)
        return len(graph.tensors) - 1

    (old_input,) = graph.inputs
    pixels = graph.tensors[old_input].quantization
    new_input = uint8_twin(old_input, float(pixels.scale[0]), int(pixels.zeroPoint[0]) + 128)
    graph.operators = [quantize(new_input, old_input), *graph.operators]
    graph.inputs = [new_input]
    signature.inputs[0].tensorIndex = new_input
    if output:
        (old_output,) = graph.outputs
        new_output = uint8_twin(old_output, 1 / 256, 0)
        graph.operators.append(quantize(old_output, new_output))
        graph.outputs = [new_output]
        signature.outputs[0].tensorIndex = new_output
    return _packed(model)


def with_versions(content: bytes) -> bytes:
    """Return a quantized graph whose operators have their true versions; see export.op_versions."""
    model = _unpacked(content)
    stamp(model)
    return _packed(model)


def with_metadata(content: bytes, card: ModelCard) -> bytes:
    """Return the model with a ModelMetadata flatbuffer, which names the two files appended to the model."""
    from ai_edge_litert import schema_py_generated as schema

    model = _unpacked(content)
    buffer = schema.BufferT()
    buffer.data = list(model_metadata(card))
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name = METADATA
    entry.buffer = len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return _packed(model)


def _unpacked(content: bytes) -> Any:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(content)
    for buffer in model.buffers:
        if isinstance(buffer.data, bytes):
            buffer.data = np.frombuffer(buffer.data, dtype=np.uint8)  # bytes would be packed one by one
    return model


def _packed(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def model_metadata(card: ModelCard) -> bytes:
    """Return the ModelMetadata of an RGB classifier that takes raw pixels (mean 0, deviation 1)."""
    table = _Tables()
    labels_file = [(0, table.text(LABELS_FILE)), (1, table.text("the emotions, in the order of the outputs"))]
    labels = table.add(labels_file, [(2, AXIS_LABELS)])
    card_file = table.add([(0, table.text(CARD_FILE)), (1, table.text("the model card"))], [(2, DESCRIPTIONS)])
    image = table.add([(1, table.add([], [(0, RGB)]))], [(0, IMAGE_PROPERTIES)])
    scaling = table.add(
        [(1, table.add([(0, table.float_vector(0.0)), (1, table.float_vector(1.0))]))], [(0, NORMALIZATION)]
    )
    stats = table.add([(0, table.float_vector(255.0)), (1, table.float_vector(0.0))])
    pixels = table.add(
        [(0, table.text("pixels")), (1, table.text("a face, RGB")), (3, image), (4, table.vector(scaling)), (5, stats)]
    )
    emotion = table.add([(0, table.text("emotion")), (1, table.text("a probability each")), (6, table.vector(labels))])
    graph = table.add([(2, table.vector(pixels)), (3, table.vector(emotion))])
    description = f"{card.architecture} {card.precision}; {card.training_data}"
    model = [(0, table.text("emotion")), (1, table.text(description)), (3, table.vector(graph))]
    root = table.add([*model, (5, table.text(card.licence)), (6, table.vector(card_file))])
    table.builder.Finish(root, file_identifier=b"M001")
    return bytes(table.builder.Output())


class _Tables:
    """Build flatbuffer tables by field number; every method returns the offset of what it adds."""

    def __init__(self) -> None:
        import flatbuffers

        self.builder = flatbuffers.Builder()

    def text(self, value: str) -> int:
        return int(self.builder.CreateString(value))

    def float_vector(self, value: float) -> int:
        """Add a vector of one float."""
        self.builder.StartVector(4, 1, 4)
        self.builder.PrependFloat32(value)
        return int(self.builder.EndVector())

    def vector(self, offset: int) -> int:
        """Add a vector of one table."""
        self.builder.StartVector(4, 1, 4)
        self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def add(self, fields: Sequence[tuple[int, int]], enums: Sequence[tuple[int, int]] = ()) -> int:
        """Add a table of (field number, offset) and of (field number, enumeration of one byte)."""
        self.builder.StartObject(1 + max(number for number, _ in (*fields, *enums)))
        for number, offset in fields:
            self.builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, value in enums:
            self.builder.PrependUint8Slot(number, value, 0)
        return int(self.builder.EndObject())

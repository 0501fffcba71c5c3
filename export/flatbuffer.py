"""What the TFLite flatbuffer needs beyond its graph: an interface of uint8, and the standard metadata.

The schemas are tensorflow/lite/schema/schema.fbs, which ai-edge-litert brings as Python classes, and
tflite-support's metadata_schema.fbs, of which only the fields used here are written, by their numbers there.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.card import CARD_FILE, LABELS_FILE, ModelCard

METADATA = b"TFLITE_METADATA"
IMAGE_PROPERTIES, NORMALIZATION = 2, 1  # ContentProperties and ProcessUnitOptions, numbers of their members
RGB, AXIS_LABELS, DESCRIPTIONS = 1, 2, 1  # ColorSpaceType, AssociatedFileType twice


def with_uint8_interface(content: bytes) -> bytes:
    """An int8 graph that ends in floats, made to take uint8 and give it: one QUANTIZE before it and one behind.

    The pixels are shifted by 128; a probability is given in steps of 1/256.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _unpacked(content)
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    model.operatorCodes.append(code)

    def quantize(source: int, target: int) -> Any:
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [source], [target]
        return operator

    def uint8_twin(index: int, scale: float, zero_point: int) -> int:
        tensor = graph.tensors[index]
        twin = copy.copy(tensor)
        twin.type = schema.TensorType.UINT8
        twin.quantization = schema.QuantizationParametersT()
        twin.quantization.scale, twin.quantization.zeroPoint = [scale], [zero_point]
        tensor.name += b"/inside"
        graph.tensors.append(twin)
        return len(graph.tensors) - 1

    (taken,), (given,) = graph.inputs, graph.outputs
    pixels = graph.tensors[taken].quantization
    first = uint8_twin(taken, float(pixels.scale[0]), int(pixels.zeroPoint[0]) + 128)
    last = uint8_twin(given, 1 / 256, 0)
    graph.operators = [quantize(first, taken), *graph.operators, quantize(given, last)]
    graph.inputs, graph.outputs = [first], [last]
    signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = first, last
    return _packed(model)


def with_metadata(content: bytes, card: ModelCard) -> bytes:
    """The model with a ModelMetadata flatbuffer that names the two files appended to it."""
    from ai_edge_litert import schema_py_generated as schema

    model = _unpacked(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(model_metadata(card))
    model.buffers.append(buffer)
    entry.name, entry.buffer = METADATA, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return _packed(model)


def _unpacked(content: bytes) -> Any:
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(content)
    for buffer in model.buffers:
        if isinstance(buffer.data, bytes):
            buffer.data = np.frombuffer(buffer.data, dtype=np.uint8)  # packed at once, where bytes go one by one
    return model


def _packed(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def model_metadata(card: ModelCard) -> bytes:
    """The ModelMetadata of a classifier of RGB pictures whose scaling is part of the graph (mean 0, deviation 1)."""
    import flatbuffers

    builder = flatbuffers.Builder()

    def text(value: str) -> int:
        return int(builder.CreateString(value))

    def floats(*values: float) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependFloat32(value)
        return int(builder.EndVector())

    def tables(*offsets: int) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    def table(fields: Sequence[tuple[int, int]], kinds: Sequence[tuple[int, int]] = ()) -> int:
        """A table of (field number, offset) and of (field number, enumeration of one byte)."""
        builder.StartObject(1 + max(number for number, _ in (*fields, *kinds)))
        for number, offset in fields:
            builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, kind in kinds:
            builder.PrependUint8Slot(number, kind, 0)
        return int(builder.EndObject())

    labels = table([(0, text(LABELS_FILE)), (1, text("the emotions, in the order of the outputs"))], [(2, AXIS_LABELS)])
    about = table([(0, text(CARD_FILE)), (1, text("the model card"))], [(2, DESCRIPTIONS)])
    image = table([(1, table([], [(0, RGB)]))], [(0, IMAGE_PROPERTIES)])
    scaling = table([(1, table([(0, floats(0.0)), (1, floats(1.0))]))], [(0, NORMALIZATION)])
    stats = table([(0, floats(255.0)), (1, floats(0.0))])
    pixels = table([(0, text("pixels")), (1, text("a face, RGB")), (3, image), (4, tables(scaling)), (5, stats)])
    emotion = table([(0, text("emotion")), (1, text("a probability each")), (6, tables(labels))])
    graph = table([(2, tables(pixels)), (3, tables(emotion))])
    model = [(0, text("emotion")), (1, text(f"{card.architecture} {card.precision}; {card.training_data}"))]
    builder.Finish(
        table([*model, (3, tables(graph)), (5, text(card.licence)), (6, tables(about))]), file_identifier=b"M001"
    )
    return bytes(builder.Output())

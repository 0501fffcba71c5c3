"""Export to TensorFlow Lite.

python -m export.tflite --int8                 the newest run or, where there is none, the shipped model
python -m export.tflite --all --model runs/NAME/model.keras --data data/fer2013
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.card import ModelCard
from edge.model_file import tflite_bytes
from edge.preprocess import to_input
from edge.values import Image, Probabilities
from export import exporter
from export.bias_correction import corrected_model
from export.calibrate import Calibration, Ranges, extremes
from export.flatbuffer import with_metadata, with_uint8_interface, with_versions
from export.format import Format
from export.serving import serving_model
from train.data import FaceSet

if TYPE_CHECKING:
    import keras


UNSURE = 0.5  # a model whose highest probability is lower keeps floats: steps of 1/256 would hide what they tell
FLOAT = {"algorithm_key": "no_quantize", "op_config": {}}


def convert(model: keras.Model, precision: str, calibration: Calibration | None) -> bytes:
    """Return the flatbuffer. dynamic has int8 kernels and computes in floats; int8 computes in integers.

    int8 keeps its softmax, of seven numbers, in floats: LiteRT's int8 softmax has other tables on Arm than on x86, so
    that a Pi's answers would not be those that were verified here.
    """
    if calibration is None:
        return _float_graph(model, "uint8", half=precision == "float16")
    from ai_edge_quantizer import recipe

    corrected = corrected_model(model, calibration.mean_errors)
    if precision == "dynamic":
        return with_versions(_quantized(_float_graph(corrected, "uint8"), recipe.dynamic_wi8_afp32()))
    ranges = {
        name: {"min": np.array([low], dtype=np.float32), "max": np.array([high], dtype=np.float32)}
        for name, (low, high) in calibration.ranges.items()
    }
    recipes = [*recipe.static_wi8_ai8(), {"regex": ".*", "operation": "SOFTMAX", **FLOAT}]
    quantized = _quantized(_float_graph(corrected, "float32"), recipes, ranges)
    highest = list(calibration.ranges.values())[-1][1]  # of the probabilities
    return with_versions(with_uint8_interface(quantized, output=highest >= UNSURE))


def _float_graph(model: keras.Model, pixels: str, half: bool = False) -> bytes:
    """Return TensorFlow's conversion, with pixels of that dtype; `half` stores the weights in 16 bits."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(serving_model(model, pixels))
    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _quantized(content: bytes, recipe: Any, ranges: dict[str, Any] | None = None) -> bytes:
    from ai_edge_quantizer import quantizer

    tool = quantizer.Quantizer(content)
    tool.load_quantization_recipe(recipe)
    return bytes(tool.quantize(ranges, enable_progress_report=False).quantized_model)


def measure_ranges(model: keras.Model, faces: FaceSet) -> Ranges:
    """Return the ranges of the float graph's tensors. The input's is 0 to 255: int8 takes the pixels as they are."""
    ranges = extremes(_tensors(_float_graph(model, "float32"), faces, model.input_shape[1]))
    return ranges | {next(iter(ranges)): (0.0, 255.0)}


def _tensors(graph: bytes, faces: FaceSet, size: int) -> Iterator[dict[str, Any]]:
    """Yield for each face the input and the output of every operation, by tensor name."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=graph,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    pixels = interpreter.get_input_details()[0]["index"]
    names = {item["index"]: item["name"] for item in interpreter.get_tensor_details()}
    computed = [index for operation in interpreter._get_ops_details() for index in operation["outputs"]]
    for image in faces.images:
        interpreter.set_tensor(pixels, to_input(image, size)[None].astype(np.float32))
        interpreter.invoke()
        yield {names[index]: interpreter.get_tensor(index) for index in (pixels, *computed)}


def reference(content: bytes, pixels: Image) -> Probabilities:
    """Return the output, float32 [labels], of LiteRT's reference kernels, the same on every processor."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_REF
    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
    interpreter.invoke()
    output = interpreter.get_output_details()[0]
    values = interpreter.get_tensor(output["index"])[0].astype(np.float32)
    scale, zero_point = output["quantization"]
    return (values - zero_point) * np.float32(scale) if scale else values


def write(path: Path, content: bytes, card: ModelCard) -> None:
    """Write the flatbuffer, with the standard metadata, and the card."""
    path.write_bytes(tflite_bytes(with_metadata(content, card), card))


FORMAT = Format(
    suffix=".tflite",
    usage=__doc__ or "",
    packages=("tensorflow", "ai-edge-litert", "ai-edge-quantizer"),
    precisions=("float32", "float16", "dynamic", "int8"),
    kernel_limit=127,
    convert=convert,
    measure_ranges=measure_ranges,
    reference=reference,
    write=write,
)


def main(argv: list[str] | None = None) -> int:
    return exporter.main(FORMAT, argv)


if __name__ == "__main__":
    raise SystemExit(main())

"""Export to ONNX.

python -m export.onnx --float32 --int8        the newest run or, where there is none, the shipped model
python -m export.onnx --all --model runs/NAME/model.keras --data data/fer2013
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.card import ModelCard
from edge.model_file import onnx_bytes
from edge.preprocess import to_input
from edge.values import Image, Probabilities
from export import exporter
from export.bias_correction import corrected_model
from export.calibrate import Calibration, Ranges, extremes
from export.format import Format
from export.serving import serving_model
from train.data import FaceSet

if TYPE_CHECKING:
    import keras

OPSET = 17  # read by ONNX Runtime since 1.12 and by OpenCV's dnn


def convert(model: keras.Model, precision: str, calibration: Calibration | None) -> bytes:
    """Return the serialized graph; int8 is QDQ, with a scale per channel and kernels of 7 bits.

    With 8 bits, ONNX Runtime's kernels for x86 processors without VNNI saturate sums of two products at 16 bits
    (255 * 127 * 2 > 32,767), and the same file gives other answers there than on a processor with VNNI or an Arm one.
    """
    if calibration is None:
        return bytes(_float_graph(model).SerializeToString(deterministic=True))
    from onnxruntime import quantization as ort

    graph = _preprocessed(_float_graph(corrected_model(model, calibration.mean_errors)))
    nodes = graph.graph.node
    first_conv = next((i for i, node in enumerate(nodes) if node.op_type == "Conv"), 0)
    quantizer = ort.QDQQuantizer(
        graph,
        per_channel=True,
        reduce_range=True,
        weight_qType=ort.QuantType.QInt8,
        activation_qType=ort.QuantType.QUInt8,
        tensors_range=_tensors_data(calibration.ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=[node.name for node in nodes[:first_conv]],  # OpenCV's dnn cannot read the scaling quantized
        op_types_to_quantize=list(ort.registry.QDQRegistry),
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    return bytes(quantizer.model.model.SerializeToString(deterministic=True))


def _float_graph(model: keras.Model) -> Any:
    """Return tf2onnx's ModelProto of the model, with names that do not depend on earlier conversions."""
    import tensorflow as tf
    import tf2onnx

    serving = serving_model(model, "uint8")
    signature = [tf.TensorSpec(serving.input_shape, tf.uint8, name="pixels")]
    function = tf.function(lambda pixels: serving(pixels, training=False), input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    return _renamed(graph)


def _renamed(model: Any) -> Any:
    """Number nodes, tensors and constants in the order of the nodes: tf2onnx's counters run on across models."""
    graph = model.graph
    names = {item.name: item.name for item in graph.input} | {graph.output[0].name: "probabilities"}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for place, name in enumerate([*node.input, *node.output]):
            names.setdefault(name, f"{node.name}:{place}" if name else "")
    for node in graph.node:
        node.input[:], node.output[:] = ([names[name] for name in each] for each in (node.input, node.output))
    for item in (*graph.initializer, *graph.output):
        item.name = names[item.name]
    constants = sorted(graph.initializer, key=lambda item: item.name)
    del graph.initializer[:], graph.value_info[:]
    graph.doc_string = ""  # tf2onnx counts there too
    graph.initializer.extend(constants)
    return model


def _preprocessed(model: Any) -> Any:
    """Return the model as ONNX Runtime optimizes it before it quantizes."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        onnx.save_model(model, source)
        quant_pre_process(source, target, skip_symbolic_shape=True)
        return onnx.load_model(target)


def _tensors_data(ranges: Ranges) -> Any:
    """Return the ranges in ONNX Runtime's type."""
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

    return TensorsData(
        CalibrationMethod.MinMax,
        {name: TensorData(lowest=np.float32(low), highest=np.float32(high)) for name, (low, high) in ranges.items()},
    )


def measure_ranges(model: keras.Model, faces: FaceSet) -> Ranges:
    """Return the ranges of the float graph's tensors."""
    return extremes(_tensors(_preprocessed(_float_graph(model)), faces, model.input_shape[1]))


def _tensors(model: Any, faces: FaceSet, size: int) -> Iterator[dict[str, Any]]:
    """Yield for each face the output of every operation, by tensor name."""
    import onnx

    outputs = [name for node in model.graph.node for name in node.output]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    session = _unoptimized(model.SerializeToString())
    for image in faces.images:
        yield dict(zip(outputs, session.run(outputs, {"pixels": to_input(image, size)[None]}), strict=True))


def _unoptimized(content: bytes) -> Any:
    """Return a session that runs every operation as it is written, without fused or integer kernels."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def reference(content: bytes, pixels: Image) -> Probabilities:
    """Return the output, float32 [labels], of the graph run operation by operation."""
    return np.asarray(_unoptimized(content).run(None, {"pixels": pixels[None]})[0][0], dtype=np.float32)


def write(path: Path, content: bytes, card: ModelCard) -> None:
    """Write the graph with the card in metadata_props, checked by onnx itself."""
    import onnx

    model = onnx_bytes(content, card)
    onnx.checker.check_model(model)
    path.write_bytes(model)


FORMAT = Format(
    suffix=".onnx",
    usage=__doc__ or "",
    packages=("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    precisions=("float32", "int8"),
    kernel_limit=64,  # ONNX Runtime's reduced range
    convert=convert,
    measure_ranges=measure_ranges,
    reference=reference,
    write=write,
)


def main(argv: list[str] | None = None) -> int:
    return exporter.main(FORMAT, argv)


if __name__ == "__main__":
    raise SystemExit(main())

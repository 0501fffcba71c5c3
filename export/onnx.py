"""Export to ONNX.

python -m export.onnx --float32
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.card import ONNX_KEY, ModelCard
from export import command
from train.data import FaceSet

if TYPE_CHECKING:
    import keras

OPSET = 17  # read by ONNX Runtime since 1.12 and by OpenCV's dnn


def convert(model: keras.Model, precision: str, calibration: FaceSet | None) -> bytes:
    """The serialized ONNX graph."""
    import tensorflow as tf
    import tf2onnx

    serving = command.serving_model(model, "uint8")
    signature = [tf.TensorSpec(serving.input_shape, tf.uint8, name="pixels")]
    function = tf.function(lambda pixels: serving(pixels, training=False), input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    return bytes(graph.SerializeToString())


def write(path: Path, content: bytes, card: ModelCard) -> None:
    """The graph with the card in metadata_props, checked by onnx itself."""
    import onnx

    graph = onnx.load_model_from_string(content)
    onnx.helper.set_model_props(graph, {ONNX_KEY: card.to_json(), "labels": ",".join(card.labels)})
    onnx.checker.check_model(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))


FORMAT = command.Format(".onnx", __doc__ or "", ("tensorflow", "tf2onnx", "onnx"), ("float32",), convert, write)


def main(argv: list[str] | None = None) -> int:
    return command.main(FORMAT, argv)


if __name__ == "__main__":
    raise SystemExit(main())

"""Export to TensorFlow Lite.

python -m export.tflite --int8                 the newest run, calibrated and proven on real faces
python -m export.tflite --float32 --int8 --model runs/NAME/model.keras
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.card import CARD_FILE, LABELS_FILE, ModelCard
from edge.errors import DataError, ModelError
from export import command
from export.calibrate import inputs
from export.correct import corrected
from train.data import FaceSet

if TYPE_CHECKING:
    import keras


def convert(model: keras.Model, precision: str, calibration: FaceSet | None) -> bytes:
    """The flatbuffer; int8 is full integer, with pixels 0..255 in and probabilities as uint8 out."""
    import tensorflow as tf

    if precision == "float32":
        return bytes(tf.lite.TFLiteConverter.from_keras_model(command.serving_model(model, "uint8")).convert())
    if calibration is None:
        raise DataError("int8 needs calibration faces, found none; give a data set with --data")
    faces, size = calibration, model.input_shape[1]
    serving = command.serving_model(corrected(model, faces), "float32")
    converter = tf.lite.TFLiteConverter.from_keras_model(serving)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: inputs(faces, size)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.uint8
    content = bytes(converter.convert())
    _check_pixels(content)
    return content


def _check_pixels(content: bytes) -> None:
    """The int8 input must be the pixel itself: scale 1, zero point 0. Then no runtime can scale it wrongly."""
    import tensorflow as tf

    scale, zero_point = tf.lite.Interpreter(model_content=content).get_input_details()[0]["quantization"]
    if not np.isclose(scale, 1.0) or zero_point != 0:
        raise ModelError(
            f"expected a pixel input of scale 1 and zero point 0, found {scale} and {zero_point}: the "
            "calibration faces do not span 0..255; use more of them (--calibration-faces)"
        )


def write(path: Path, content: bytes, card: ModelCard) -> None:
    """The flatbuffer with labels.txt and card.json behind it as a zip, without time stamps: same input, same bytes."""
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in ((LABELS_FILE, "\n".join(card.labels) + "\n"), (CARD_FILE, card.to_json())):
            archive.writestr(zipfile.ZipInfo(name), text)


FORMAT = command.Format(".tflite", __doc__ or "", ("tensorflow",), ("float32", "int8"), convert, write)


def main(argv: list[str] | None = None) -> int:
    return command.main(FORMAT, argv)


if __name__ == "__main__":
    raise SystemExit(main())

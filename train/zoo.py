"""Name -> Keras model. Every model takes float32 [n, size, size, 3] RGB 0..255 and gives seven probabilities.

Scaling lives in the first layer, so that no caller can get it wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from edge.errors import ModelError
from edge.labels import EMOTIONS
from train.runs import BACKBONE, SCALE, load_model

BATCH_NORM_MOMENTUM = 0.95


def _cnn(input_shape: tuple[int, int, int], include_top: bool, weights: str | None, name: str) -> keras.Model:
    """Four convolutions, each with batch norm and pooling: small and quick, trained from scratch."""
    if weights is not None:
        raise ValueError("cnn has no pretrained weights (--weights none)")
    x = inputs = keras.Input(input_shape)
    for filters in (32, 64, 128, 256):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D()(x)
    return keras.Model(inputs, x, name=name)


ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "cnn": _cnn,
}


def build(arch: str, size: int, weights: str, dropout: float) -> keras.Model:
    """A fresh model; `weights` is imagenet (downloaded by Keras), none, the path of a no-top weights file, or that of
    a .keras model of the same network, whose head comes along.
    """
    if arch not in ARCHITECTURES:
        raise ModelError(f"expected --arch {' or '.join(ARCHITECTURES)}, found {arch!r}")
    if weights not in ("imagenet", "none") and not Path(weights).is_file():
        raise ModelError(f"expected imagenet, none or a weights file, found {weights!r}; check --weights")
    earlier = load_model(Path(weights), compiled=False) if weights.endswith(".keras") else None
    try:
        backbone = ARCHITECTURES[arch](
            input_shape=(size, size, 3),
            include_top=False,
            weights=None if weights == "none" or earlier is not None else weights,
            name=BACKBONE,
        )
    except Exception as error:  # h5py and Keras raise OSError, ValueError, KeyError and plain Exception here
        reason = str(error).splitlines()[0][:200]
        raise ModelError(f"expected {arch} weights without top, could not load {weights}: {reason}") from error
    _calm_batch_norm(backbone)
    inputs = keras.Input((size, size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name=SCALE)(inputs)
    x = backbone(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    outputs = keras.layers.Dense(len(EMOTIONS), activation="softmax", name="emotion")(x)
    model = keras.Model(inputs, outputs, name=arch)
    if earlier is not None:
        try:
            model.set_weights(earlier.get_weights())
        except ValueError as error:
            reason = str(error).splitlines()[0][:200]
            raise ModelError(f"expected weights of {arch} at --size {size} in {weights}: {reason}") from error
    return model


def _calm_batch_norm(backbone: keras.Model) -> None:
    """Let the moving statistics follow the weights within an epoch.

    Keras' MobileNetV2 has momentum 0.999: after a few hundred steps they are still a mixture with ImageNet's, and
    validation accuracy looks ten points worse than it is.
    """
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM

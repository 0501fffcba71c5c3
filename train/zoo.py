"""Build the networks by name. All map float32 [n, size, size, 3] RGB 0..255 to probabilities [n, classes].

Scaling is the first layer, so that no caller can get it wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from edge.errors import ModelError, UsageError
from edge.labels import EMOTIONS
from train.narrow import narrowed
from train.recipe import model_classes
from train.runs import BACKBONE, SCALE, load_model, reason_of

BATCH_NORM_MOMENTUM = 0.95


@dataclass(frozen=True)
class Architecture:
    """Hold a function that makes the network without top, and its pretraining's pixels: 0..255 * scale + offset."""

    backbone: Callable[..., keras.Model]
    scale: float = 1 / 127.5
    offset: float | tuple[float, float, float] = -1.0
    has_width: bool = False  # takes `alpha`, the share of its filters


def _cnn(input_shape: tuple[int, int, int], include_top: bool, weights: str | None, name: str) -> keras.Model:
    """Return four convolutions, each with batch norm and pooling: small and fast, trained from scratch."""
    if weights is not None:
        raise ValueError("cnn has no pretrained weights (--weights none)")
    x = inputs = keras.Input(input_shape)
    for number, filters in enumerate((32, 64, 128, 256), start=1):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"block_{number}_conv")(x)
        x = keras.layers.BatchNormalization(name=f"block_{number}_norm")(x)
        x = keras.layers.ReLU(name=f"block_{number}_relu")(x)
        x = keras.layers.MaxPooling2D(name=f"block_{number}_pool")(x)
    return keras.Model(inputs, x, name=name)


ARCHITECTURES = {
    "mobilenet_v2": Architecture(keras.applications.MobileNetV2, has_width=True),
    "mobilenet": Architecture(keras.applications.MobileNet, has_width=True),
    "resnet50_v2": Architecture(keras.applications.ResNet50V2),
    # VGG16 was pretrained on BGR minus channel means; a grey face has three equal channels, so their order is free.
    "vgg16": Architecture(keras.applications.VGG16, scale=1.0, offset=(-103.939, -116.779, -123.68)),
    "cnn": Architecture(_cnn),
}


def build(
    arch: str,
    size: int,
    weights: str,
    dropout: float,
    width: float = 1.0,
    head: str = "pooled",
    dense: int = 0,
    classes: tuple[str, ...] = EMOTIONS,
) -> keras.Model:
    """Return a new model.

    `weights` is imagenet (downloaded by Keras), none, the path of a no-top weights file, or that of a .keras model of
    the same network; its last layer is kept if it has the same classes, and replaced if it has others. A network of
    less `width` keeps the strongest filters of that model (see train.narrow). `head` pools the last feature map or
    flattens it; `dense` hidden units follow (0: none), then dropout. `width` is the share of the filters, for the
    mobilenets. Raises ModelError if they do not fit each other.
    """
    if arch not in ARCHITECTURES:
        raise ModelError(f"expected --arch {' or '.join(ARCHITECTURES)}, found {arch!r}")
    pretrained = load_model(Path(weights)) if weights.endswith(".keras") else None
    architecture = ARCHITECTURES[arch]
    if width != 1.0 and not architecture.has_width:
        raise ModelError(f"expected --width 1 with {arch}, found {width:g}; mobilenet and mobilenet_v2 have others")
    backbone = _backbone(architecture, arch, size, "none" if pretrained is not None else weights, width)
    _adapt_batch_norm(backbone)
    inputs = keras.Input((size, size, 3), name="pixels")
    x = keras.layers.Rescaling(architecture.scale, offset=architecture.offset, name=SCALE)(inputs)
    x = backbone(x)
    x = (keras.layers.Flatten if head == "flatten" else keras.layers.GlobalAveragePooling2D)(name="pool")(x)
    if dense:
        x = keras.layers.Dense(dense, activation="relu", name="hidden")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    outputs = keras.layers.Dense(len(classes), activation="softmax", name="emotion")(x)
    model = keras.Model(inputs, outputs, name=arch)
    if pretrained is not None:
        try:
            _set_weights(model, pretrained, classes == model_classes(Path(weights), pretrained.output_shape[1]))
        except ValueError as error:
            raise ModelError(f"expected weights of {arch} at --size {size} in {weights}: {reason_of(error)}") from error
    return model


def frozen_layers(model: keras.Model, last: str) -> list[keras.Layer]:
    """Return the layers of the backbone up to the one of this name; none if the name is empty.

    Raises UsageError if there is no such layer.
    """
    layers: list[keras.Layer] = model.get_layer(BACKBONE).layers
    names = [layer.name for layer in layers]
    if last and last not in names:
        near = ", ".join(difflib.get_close_matches(last, names) or names[1:6])
        raise UsageError(f"expected a layer of {model.name} for --freeze, such as {near}; found {last!r}")
    return layers[: names.index(last) + 1] if last else []


def _set_weights(model: keras.Model, pretrained: keras.Model, has_head: bool) -> None:
    """Copy the weights of a model of the same network, those of the last layer only if it has the same classes."""
    widths = [each.get_layer(BACKBONE).count_params() for each in (pretrained, model)]
    weights = pretrained.get_weights() if widths[0] == widths[1] else narrowed(pretrained, model)
    last = len(model.layers[-1].weights)
    model.set_weights(weights if has_head else weights[:-last] + model.get_weights()[-last:])


def _backbone(architecture: Architecture, arch: str, size: int, weights: str, width: float) -> keras.Model:
    options = {"alpha": width} if architecture.has_width else {}
    try:
        return architecture.backbone(
            input_shape=(size, size, 3),
            include_top=False,
            weights=None if weights == "none" else weights,
            name=BACKBONE,
            **options,
        )
    except Exception as error:  # h5py and Keras raise OSError, ValueError, KeyError and plain Exception here
        hint = ""
        if weights == "imagenet" and "url" in str(error).lower():
            hint = "; offline, give --weights none, or --weights models/emotion.keras to start from the shipped model"
        raise ModelError(
            f"expected {arch} weights without top, could not load {weights}: {reason_of(error)}{hint}"
        ) from error


def _adapt_batch_norm(backbone: keras.Model) -> None:
    """Make moving statistics follow the weights within an epoch.

    Keras' MobileNetV2 has momentum 0.999: after a few hundred steps the statistics are still mixed with ImageNet's, and
    validation accuracy looks ten points worse than it is.
    """
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM

"""Fold batch normalization into the convolutions before it, so that every machine converts the same numbers.

The converters fold batch norms too, but with the processor's approximation of 1 / sqrt(x), which differs between Intel,
AMD and Arm in the last bit; a few biases of the int8 file then round to another integer. Here all numbers come from
single float64 operations that IEEE 754 rounds alike everywhere, without sums, whose order could differ.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.values import Floats
from train.runs import BACKBONE

if TYPE_CHECKING:
    import keras

Doubles = npt.NDArray[np.float64]


def folded_model(model: keras.Model) -> keras.Model:
    """Return a copy of the model without batch norms, whose outputs are the same up to float32 rounding.

    A batch norm of pictures that follows no convolution becomes a depthwise convolution of 1x1. The model itself is not
    changed.
    """
    import keras

    norms = _norms_after_convolutions(model.get_layer(BACKBONE))
    folded = {norm.name for norm in norms.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if _becomes_convolution(layer) and layer.name not in folded:
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        config = layer.get_config()
        if layer in norms:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, inputs: Any, **_: Any) -> Any:  # batch norm has arguments that others lack
        return inputs if layer.name in folded else layer(inputs)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call, recursive=True)
    for source, target in ((model, copy), (model.get_layer(BACKBONE), copy.get_layer(BACKBONE))):
        for layer in source.layers:
            if layer.weights and layer.name not in folded and layer.name != BACKBONE:
                target.get_layer(layer.name).set_weights(_folded_weights(layer, norms.get(layer)))
    return copy


def _becomes_convolution(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is a batch norm of pictures, [n, height, width, channels]."""
    import keras

    return isinstance(layer, keras.layers.BatchNormalization) and len(layer.input.shape) == 4


def _norms_after_convolutions(backbone: keras.Model) -> dict[keras.layers.Layer, keras.layers.Layer]:
    """Return each convolution without an activation of its own that a batch norm follows, with that batch norm."""
    import keras

    readers = Counter(id(tensor) for item in backbone.operations for tensor in keras.tree.flatten(item.input))
    norms = {id(layer.input): layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)}
    return {
        layer: norms[id(layer.output)]
        for layer in backbone.layers
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D))
        and layer.activation is keras.activations.linear
        and id(layer.output) in norms
        and readers[id(layer.output)] == 1
    }


def _folded_weights(layer: keras.layers.Layer, norm: keras.layers.Layer | None) -> list[Floats]:
    """Return the weights of the layer that takes this one's place."""
    import keras

    if _becomes_convolution(layer):
        scale, offset = _scale_and_offset(layer)
        return [_float32(scale.reshape(1, 1, -1, 1)), _float32(offset)]
    if norm is None:
        return list(layer.get_weights())
    scale, offset = _scale_and_offset(norm)
    kernel = np.asarray(layer.kernel, dtype=np.float64)
    if layer.use_bias:
        offset = offset + np.asarray(layer.bias, dtype=np.float64) * scale
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [_float32(kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)), _float32(offset)]


def _scale_and_offset(norm: keras.layers.Layer) -> tuple[Doubles, Doubles]:
    """Return the batch norm as x * scale + offset, float64 [channels] each."""
    mean, variance = (np.asarray(value, dtype=np.float64) for value in (norm.moving_mean, norm.moving_variance))
    scale = 1.0 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma, dtype=np.float64)
    offset = -mean * scale
    if norm.center:
        offset = offset + np.asarray(norm.beta, dtype=np.float64)
    return scale, offset


def _float32(values: Doubles) -> Floats:
    return values.astype(np.float32)

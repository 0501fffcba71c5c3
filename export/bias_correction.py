"""Correct the biases for the error that rounding the kernels to integers adds to the mean of each channel.

A kernel whose taps nearly cancel, over an input that hardly varies (a ReLU6 channel that stays at 6), turns the
rounding of its taps into a constant error of its whole channel. In MobileNetV2 the first depthwise layer alone can cost
more agreement that way than everything else in int8 together. The error can be computed: convolution is linear, so it
is the mean input convolved with the kernel's rounding error. Method: Nagel et al. 2019, "Data-Free Quantization through
Weight Equalization and Bias Correction", section 4.2, with calibration faces in place of their data-free estimate.

All models here are folded (export.folding): convolutions with biases, no batch norms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.values import Floats
from train.data import FaceSet
from train.predict import keras_inputs
from train.runs import BACKBONE, SCALE

if TYPE_CHECKING:
    import keras

SMALLEST_TAP = 2e-4  # below it a channel counts as dead: its effect stays far below one step of int8
BATCH_SIZE = 43  # all feature maps of a batch are in memory at once; fewer faces above USUAL_SIZE pixels
USUAL_SIZE = 96


def mean_errors(model: keras.Model, faces: FaceSet, kernel_limit: int) -> dict[str, Floats]:
    """Return by convolution what rounding its kernel adds to the mean of each output channel, float32 [channels].

    `kernel_limit` is the largest integer of a kernel.
    """
    convs = _convolutions(model)
    if not convs:
        return {}
    inputs = _mean_inputs(model, convs, faces)
    return {conv.name: _mean_error(conv, mean, kernel_limit) for conv, mean in zip(convs, inputs, strict=True)}


def _mean_error(conv: keras.layers.Layer, mean_input: Floats, kernel_limit: int) -> Floats:
    """Return the mean of each channel of the mean input convolved with the kernel's rounding error, [channels]."""
    linear = type(conv).from_config({**conv.get_config(), "activation": "linear", "use_bias": False})
    linear.build((1, *mean_input.shape))
    linear.set_weights([rounded_kernel(conv, kernel_limit) - np.asarray(conv.kernel)])
    return np.asarray(np.asarray(linear(mean_input[None])).mean(axis=(0, 1, 2)), dtype=np.float32)


def corrected_model(model: keras.Model, errors: dict[str, Floats]) -> keras.Model:
    """Return a copy of the model whose biases expect rounded kernels; `errors` are those of mean_errors."""
    import keras

    if not errors:
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for conv in _convolutions(copy):
        conv.bias.assign(np.asarray(conv.bias) - errors[conv.name])
        conv.kernel.assign(_without_dead_channels(conv))
    return copy


def _without_dead_channels(conv: keras.layers.Layer) -> Floats:
    """Return the kernel with one small tap in each channel whose taps are all but zero.

    A bias is stored in steps of its kernel's scale. Without a tap to speak of, the bias overflows its 32 bits and comes
    out with the opposite sign, or another value on other processors. The stem of MobileNetV2 has seven such channels.
    """
    import keras

    kernel = np.array(conv.kernel)
    depthwise = isinstance(conv, keras.layers.DepthwiseConv2D)
    taps = kernel.reshape(-1, kernel.shape[2] if depthwise else kernel.shape[3])  # [taps, channels], a view
    taps[0, np.abs(taps).max(axis=0) < SMALLEST_TAP] = SMALLEST_TAP
    return kernel


def rounded_kernel(conv: keras.layers.Layer, kernel_limit: int) -> Floats:
    """Return the kernel as quantized: integers from -kernel_limit to kernel_limit, with a scale per channel."""
    import keras

    axes = (0, 1, 3) if isinstance(conv, keras.layers.DepthwiseConv2D) else (0, 1, 2)
    kernel = np.asarray(conv.kernel)
    scale = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True) / kernel_limit, 1e-12)
    return np.asarray(np.round(kernel / scale) * scale, dtype=np.float32)


def _convolutions(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the backbone's convolutions that have a bias, in the order of the data."""
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [layer for layer in model.get_layer(BACKBONE).layers if isinstance(layer, kinds) and layer.use_bias]


def _mean_inputs(model: keras.Model, convs: list[keras.layers.Layer], faces: FaceSet) -> list[Floats]:
    """Return the mean input of each convolution over the faces, float32 [height, width, channels]."""
    import keras

    backbone = model.get_layer(BACKBONE)
    scale = model.get_layer(SCALE)
    probe = keras.Model(backbone.input, [conv.input for conv in convs])
    sums = [np.zeros(conv.input.shape[1:], dtype=np.float64) for conv in convs]
    batch_size = max(1, min(BATCH_SIZE, BATCH_SIZE * USUAL_SIZE**2 // model.input_shape[1] ** 2))
    for start in range(0, len(faces), batch_size):
        pixels = keras_inputs(faces.images[start : start + batch_size], model.input_shape[1])
        found = keras.tree.flatten(probe(scale(pixels), training=False))  # one output is no list
        for total, inputs in zip(sums, found, strict=True):
            total += np.asarray(inputs).sum(axis=0)
    return [np.asarray(total / len(faces), dtype=np.float32) for total in sums]

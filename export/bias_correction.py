"""Bias correction: give back what rounding the kernels to int8 takes from the mean of each channel.

A kernel whose taps nearly cancel, over an input that hardly varies (a ReLU6 channel that stays at 6), turns the
rounding of its taps into a constant shift of its whole channel. In MobileNetV2 the first depthwise layer alone can cost
more agreement that way than all else in int8 together. The shift is known: convolution is linear, so it is the mean
input convolved with the kernel's rounding error. Method: Nagel et al. 2019, "Data-Free Quantization through Weight
Equalization and Bias Correction", section 4.2, with calibration faces in place of their data-free estimate.
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

SMALLEST = 2e-4  # of a kernel's largest tap, scaled by its batch norm: its effect stays far below a step of int8
BATCH = 43  # faces at once: every map of them is in memory


def shifts(model: keras.Model, faces: FaceSet) -> dict[str, Floats]:
    """Convolution -> what its rounded kernel adds to the mean of each of its channels over the faces, [channels]."""
    convs = list(_convolutions(model))
    means = _mean_inputs(model, convs, faces)
    found = {}
    for conv, mean in zip(convs, means, strict=True):
        kernel, wrong = np.asarray(conv.kernel), rounded(conv) - np.asarray(conv.kernel)
        conv.kernel.assign(wrong)
        shift = np.asarray(np.asarray(conv(mean[None])).mean(axis=(0, 1, 2)), dtype=np.float32)
        conv.kernel.assign(kernel)
        found[conv.name] = shift - np.asarray(conv.bias) if conv.use_bias else shift
    return found


def corrected(model: keras.Model, shifts: dict[str, Floats]) -> keras.Model:
    """A copy of the model that expects int8 kernels; the model itself stays as it is."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for conv, norm in _convolutions(copy).items():
        if norm is not None:
            norm.moving_mean.assign_add(shifts[conv.name])
            _revive(conv, norm)
        else:
            conv.bias.assign_sub(shifts[conv.name])
    return copy


def _revive(conv: keras.layers.Layer, norm: keras.layers.Layer) -> None:
    """Give dead channels, whose taps are all but zero, one small tap.

    A bias is stored in steps of the kernel's: with no kernel to speak of, a channel's constant overflows its 32 bits,
    comes out as its opposite, and on other processors otherwise. The stem of MobileNetV2 has seven of them.
    """
    import keras

    kernel, factor = np.array(conv.kernel), np.asarray(norm.gamma if norm.scale else 1.0)
    factor = np.maximum(np.abs(factor) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon), 1e-12)
    depthwise = isinstance(conv, keras.layers.DepthwiseConv2D)
    taps = kernel.reshape(-1, kernel.shape[2] if depthwise else kernel.shape[3])  # [taps, channels], a view
    dead = np.abs(taps).max(axis=0) * factor < SMALLEST
    taps[0, dead] = SMALLEST / factor[dead]
    conv.kernel.assign(kernel)


def rounded(conv: keras.layers.Layer) -> Floats:
    """The kernel as the quantizer makes it: 8 bits, symmetric, a scale for each output channel.

    The converter scales each channel by its batch norm first; that changes the channel's scale, not its integers.
    """
    import keras

    axes = (0, 1, 3) if isinstance(conv, keras.layers.DepthwiseConv2D) else (0, 1, 2)
    kernel = np.asarray(conv.kernel)
    scale = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True) / 127, 1e-12)
    return np.asarray(np.round(kernel / scale) * scale, dtype=np.float32)


def _convolutions(model: keras.Model) -> dict[keras.layers.Layer, keras.layers.Layer | None]:
    """Each convolution that can be corrected, in the order of the data, with the batch norm that follows it, if any."""
    import keras

    layers = model.get_layer(BACKBONE).layers
    norms = {id(layer.input): layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    pairs = {layer: norms.get(id(layer.output)) for layer in layers if isinstance(layer, kinds)}
    return {conv: norm for conv, norm in pairs.items() if norm is not None or conv.use_bias}


def _mean_inputs(model: keras.Model, convs: list[keras.layers.Layer], faces: FaceSet) -> list[Floats]:
    """The mean input map [height, width, channels] of each convolution over the faces."""
    import keras

    backbone, scale = model.get_layer(BACKBONE), model.get_layer(SCALE)
    probe = keras.Model(backbone.input, [conv.input for conv in convs])
    sums = [np.zeros(conv.input.shape[1:], dtype=np.float64) for conv in convs]
    for start in range(0, len(faces), BATCH):
        pixels = keras_inputs(faces.images[start : start + BATCH], model.input_shape[1])
        for total, found in zip(sums, probe(scale(pixels), training=False), strict=True):
            total += np.asarray(found).sum(axis=0)
    return [np.asarray(total / len(faces), dtype=np.float32) for total in sums]

"""Bias correction: give back, in the batch norms, what rounding the kernels to int8 takes from the mean.

A kernel whose taps nearly cancel, over an input that hardly varies (a ReLU6 channel that stays at 6), turns the
rounding of its taps into a constant shift of its whole channel. In MobileNetV2 the first depthwise layer alone can cost
more agreement that way than all else in int8 together. The shift is known: convolution is linear, so it is the mean
input convolved with the kernel's rounding error. Method: Nagel et al. 2019, "Data-Free Quantization through Weight
Equalization and Bias Correction", section 4.2, with calibration faces in place of their data-free estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from train.data import FaceSet
from train.evaluate import keras_inputs
from train.runs import BACKBONE, SCALE

if TYPE_CHECKING:
    import keras

BATCH = 43  # faces at once: every map of them is in memory


def corrected(model: keras.Model, calibration: FaceSet) -> keras.Model:
    """A copy of a model of train.zoo whose batch norms expect int8 kernels; the model itself stays as it is."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    pairs = convolutions(copy.get_layer(BACKBONE))
    means = _mean_inputs(copy, [conv for conv, _ in pairs], calibration)
    for (conv, norm), mean in zip(pairs, means, strict=True):
        kernel = np.asarray(conv.kernel)
        conv.kernel.assign(rounded(conv) - kernel)
        shift = np.asarray(conv(mean[None])).mean(axis=(0, 1, 2))  # [channels]
        conv.kernel.assign(kernel)
        norm.moving_mean.assign_add(shift)
    return copy


def convolutions(backbone: keras.Model) -> list[tuple[keras.layers.Layer, keras.layers.Layer]]:
    """Each convolution that a batch norm follows, with it, in the order of the data."""
    import keras

    norms = {id(layer.input): layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)}
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [
        (layer, norms[id(layer.output)])
        for layer in backbone.layers
        if isinstance(layer, kinds) and id(layer.output) in norms
    ]


def rounded(conv: keras.layers.Layer) -> npt.NDArray[np.float32]:
    """The kernel as the converter makes it: 8 bits, symmetric, a scale for each output channel.

    The converter scales each channel by its batch norm first; that changes the channel's scale, not its integers.
    """
    import keras

    axes = (0, 1, 3) if isinstance(conv, keras.layers.DepthwiseConv2D) else (0, 1, 2)
    kernel = np.asarray(conv.kernel)
    scale = np.maximum(np.abs(kernel).max(axis=axes, keepdims=True) / 127, 1e-12)
    return np.asarray(np.round(kernel / scale) * scale, dtype=np.float32)


def _mean_inputs(
    model: keras.Model, convs: list[keras.layers.Layer], calibration: FaceSet
) -> list[npt.NDArray[np.float32]]:
    """The mean input map [height, width, channels] of each convolution over the calibration faces."""
    import keras

    backbone, scale = model.get_layer(BACKBONE), model.get_layer(SCALE)
    probe = keras.Model(backbone.input, [conv.input for conv in convs])
    sums = [np.zeros(conv.input.shape[1:], dtype=np.float64) for conv in convs]
    for start in range(0, len(calibration), BATCH):
        pixels = keras_inputs(calibration.images[start : start + BATCH], model.input_shape[1])
        for total, found in zip(sums, probe(scale(pixels), training=False), strict=True):
            total += np.asarray(found).sum(axis=0)
    return [np.asarray(total / len(calibration), dtype=np.float32) for total in sums]

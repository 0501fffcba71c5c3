"""Start a narrow network from a wide one of the same kind: each layer keeps its strongest filters.

Filters are ranked by the sum of their absolute weights (Li et al. 2017, "Pruning filters for efficient convnets"), each
times the factor of the batch norm behind it. What the network has lost, training brings back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from train.runs import BACKBONE

Channels = NDArray[np.intp]  # the indices that are kept, ascending
Weights = list[NDArray[np.float32]]


def narrowed(wide: keras.Model, narrow: keras.Model) -> Weights:
    """Return weights for `narrow`, in the order of its set_weights, from a trained `wide` one.

    Both are as train.zoo builds them. Raises ValueError if `narrow` is another network or a wider one.
    """
    weights: Weights = []
    kept = None  # of what the layer before gives, once the backbone is passed
    for layer in wide.layers:
        if layer.name == BACKBONE:
            values, kept = _narrowed_backbone(layer, narrow.get_layer(BACKBONE))
            weights += values
            continue
        own = layer.get_weights()
        if own and kept is not None and len(own[0]) >= len(kept):  # the first dense layer
            own[0], kept = own[0][kept], None
        weights += own
    return weights


def _narrowed_backbone(wide: keras.Model, narrow: keras.Model) -> tuple[Weights, Channels]:
    """Return the weights of all layers, and the channels that the last layer keeps."""
    if [type(layer) for layer in wide.layers] != [type(layer) for layer in narrow.layers]:
        raise ValueError("another network")
    layers = {layer.name: layer for layer in wide.layers}
    partners = dict(_partners(layers))
    norms = {_inputs(layer)[0]: layer for layer in wide.layers if isinstance(layer, keras.layers.BatchNormalization)}
    weights: Weights = []
    kept: dict[str, Channels] = {}
    for layer, target in zip(wide.layers, narrow.layers, strict=True):
        before = _inputs(layer)
        given = kept[before[0]] if before else np.arange(layer.output.shape[-1])
        kept[layer.name] = given
        own = layer.get_weights()
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            weights.append(own[0][:, :, given])
        elif isinstance(layer, keras.layers.Conv2D):
            partner = partners.get(layer.name)
            chosen = kept[partner] if partner else _strongest(layer, norms, target.filters)
            kept[layer.name] = chosen
            weights += [own[0][:, :, given][..., chosen], *(bias[chosen] for bias in own[1:])]
        else:  # batch norm, or no weights at all
            weights += [values[given] for values in own]
    return weights, given


def _inputs(layer: keras.Layer) -> list[str]:
    """Return the names of the layers before this one."""
    if isinstance(layer, keras.layers.InputLayer):
        return []
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in tensors]


def _partners(layers: Mapping[str, keras.Layer]) -> Iterator[tuple[str, str]]:
    """Yield each convolution whose outputs are added to those of an earlier layer, with that layer."""
    for layer in layers.values():
        if isinstance(layer, keras.layers.Add):
            earlier, later = _inputs(layer)
            while not isinstance(layers[later], keras.layers.Conv2D):
                later = _inputs(layers[later])[0]
            yield later, earlier


def _strongest(layer: keras.layers.Conv2D, norms: Mapping[str, keras.Layer], count: int) -> Channels:
    """Return the indices of the strongest filters."""
    strength = np.abs(layer.get_weights()[0]).sum(axis=(0, 1, 2))
    if len(strength) < count:
        raise ValueError(f"{layer.name} has {len(strength)} filters, {count} are needed")
    if layer.name in norms:
        norm = norms[layer.name]
        gamma, _, _, variance = norm.get_weights()
        strength = strength * np.abs(gamma) / np.sqrt(variance + norm.epsilon)
    return np.sort(np.argsort(-strength, kind="stable")[:count])

"""Check that every Keras from 3.8 on can open what `train` saves and what is shipped."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from train.runs import SHIPPED, load_model, save_model
from train.zoo import ARCHITECTURES, build

CONV = {
    "activation", "activity_regularizer", "bias_constraint", "bias_initializer", "bias_regularizer", "data_format",
    "dilation_rate", "kernel_size", "padding", "strides", "use_bias",
}  # fmt: skip
NORM = {f"{part}_{kind}" for part in ("beta", "gamma") for kind in ("constraint", "initializer", "regularizer")}
KERNEL = {f"kernel_{kind}" for kind in ("constraint", "initializer", "regularizer")}
DEPTHWISE = {f"depthwise_{kind}" for kind in ("constraint", "initializer", "regularizer")}
LAYER = {"dtype", "name", "trainable"}
KERAS_3_8 = {  # class -> the config keys that Keras 3.8.0 accepts
    "Activation": LAYER | {"activation"},
    "Add": LAYER,
    "BatchNormalization": LAYER | NORM | {"axis", "center", "epsilon", "momentum", "scale", "synchronized"}
    | {"moving_mean_initializer", "moving_variance_initializer"},
    "Conv2D": LAYER | CONV | KERNEL | {"filters", "groups"},
    "DTypePolicy": {"name"},
    "Dense": LAYER | KERNEL | {"activation", "bias_constraint", "bias_initializer", "bias_regularizer"}
    | {"units", "use_bias"},
    "DepthwiseConv2D": LAYER | CONV | DEPTHWISE | {"depth_multiplier"},
    "Dropout": LAYER | {"noise_shape", "rate", "seed"},
    "Flatten": LAYER | {"data_format"},
    "Functional": {"input_layers", "layers", "name", "output_layers", "trainable"},
    "GlobalAveragePooling2D": LAYER | {"data_format", "keepdims"},
    "GlorotUniform": {"seed"},
    "InputLayer": {"batch_shape", "dtype", "name", "optional", "sparse"},
    "MaxPooling2D": LAYER | {"data_format", "padding", "pool_size", "strides"},
    "Ones": set(),
    "ReLU": LAYER | {"max_value", "negative_slope", "threshold"},
    "Rescaling": LAYER | {"offset", "scale"},
    "ZeroPadding2D": LAYER | {"data_format", "padding"},
    "Zeros": set(),
}  # fmt: skip


def configs(value: Any) -> Iterator[tuple[str, set[str]]]:
    """Yield the class name and the config keys of every object in a config."""
    if isinstance(value, dict):
        name = value.get("class_name", "__")
        if not name.startswith("__"):
            yield name, set(value["config"])
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from configs(child)


def unknown_keys(path: Path) -> dict[str, set[str]]:
    """Return the classes and keys of a .keras file that Keras 3.8 does not accept."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    return {name: keys - KERAS_3_8.get(name, set()) for name, keys in configs(config) if keys - KERAS_3_8[name]}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_saved_model_has_no_key_that_keras_3_8_refuses(arch: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = build(arch, 48, "none", dropout=0.3, head="flatten", dense=8)
    path = tmp_path / "model.keras"
    save_model(model, path)
    assert unknown_keys(path) == {}
    for saved, weights in zip(load_model(path).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, weights)


def test_the_shipped_model_has_no_key_that_keras_3_8_refuses() -> None:
    assert unknown_keys(SHIPPED) == {}

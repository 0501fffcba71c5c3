"""Rewrite the configuration of a model file that Keras 2 wrote, so that Keras 3 opens it.

Keras 2 gave layers arguments that Keras 3 refuses, and models within models are of modules that are no more: fer's
model and Teachable Machine's are such. The weights stay as they are.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONVOLUTIONS = ("DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
IGNORED = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")  # by these layers, in Keras 2
MODULES_OF_KERAS_2 = ("tf_keras.", "keras.engine.", "keras.src.engine.")
CONFIG = "config.json"  # in a .keras file
ATTRIBUTE = "model_config"  # in an HDF5 file


@contextlib.contextmanager
def opened_by_keras_3(path: Path) -> Iterator[Path]:
    """Give the path of a .keras, .h5 or .hdf5 file that Keras 3 opens: the same or, for a while, of a copy."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        yield copy if (_copy_archive if path.suffix == ".keras" else _copy_hdf5)(path, copy) else path


def _copy_archive(path: Path, copy: Path) -> bool:
    """Write the copy if its configuration differs; return whether it does."""
    with zipfile.ZipFile(path) as archive:
        old = json.loads(archive.read(CONFIG))
        if (new := modernized(old)) == old:
            return False
        with zipfile.ZipFile(copy, "w") as target:
            for name in archive.namelist():
                target.writestr(name, json.dumps(new) if name == CONFIG else archive.read(name))
    return True


def _copy_hdf5(path: Path, copy: Path) -> bool:
    import h5py

    with h5py.File(path) as file:
        old = json.loads(file.attrs.get(ATTRIBUTE, "{}"))  # weights alone have none
    if (new := modernized(old)) == old:
        return False
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as file:
        file.attrs[ATTRIBUTE] = json.dumps(new)
    return True


def modernized(value: Any) -> Any:
    """Return a part of a configuration, as JSON gives it, in the words of Keras 3."""
    if isinstance(value, list):
        return [modernized(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: modernized(item) for name, item in value.items()}
    kind, config = value.get("class_name"), value.get("config")
    if not isinstance(config, dict):
        return value
    if "module" in value and kind != "InputLayer":  # without a module, Keras 3 does so itself
        config.pop("batch_input_shape", None)
    if str(value.get("module")).startswith(MODULES_OF_KERAS_2):
        is_functional = kind in ("Functional", "Model")
        value |= {"module": "keras.src.models.functional" if is_functional else "keras", "registered_name": None}
    for name in ("input_layers", "output_layers"):  # of a model; one alone is no list in Keras 3
        if isinstance(config.get(name), list) and len(config[name]) == 1:
            (config[name],) = config[name]
    if kind in CONVOLUTIONS:
        value["config"] = {name: item for name, item in config.items() if name not in IGNORED}
    if kind == "BatchNormalization" and isinstance(config.get("axis"), list):
        (config["axis"],) = config["axis"]
    return value

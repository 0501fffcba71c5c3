"""The packages beyond the lean profile, checked before anything long begins."""

from __future__ import annotations

import importlib.util
import os

from edge.errors import MissingExtra
from edge.quiet import quiet


def require(module: str, package: str, extra: str) -> None:
    """Raise MissingExtra unless `module` can be imported."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(package, extra)


def require_keras() -> None:
    """Import Keras and wake its backend, without their chatter; MissingExtra where one of them is not installed."""
    require("keras", "keras", "train")
    if not any(importlib.util.find_spec(backend) for backend in ("tensorflow", "jax", "torch")):
        raise MissingExtra("tensorflow", "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet():
        import keras

        if "TF_CONFIG" not in os.environ:  # else no operation may come before the workers have found each other
            keras.ops.zeros(1)  # the first operation looks for a GPU, and complains where there is none

"""Check for optional packages before long work begins."""

from __future__ import annotations

import importlib.util
import os

from edge.errors import MissingExtra
from edge.quiet import quiet


def require(module: str, package: str, extra: str) -> None:
    """Raise MissingExtra unless `module` can be imported; `package` and `extra` are what pip calls it."""
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(package, extra)


def require_reports() -> None:
    """Raise MissingExtra unless metrics can be computed and plots drawn."""
    for module, package in (("sklearn", "scikit-learn"), ("matplotlib", "matplotlib")):
        require(module, package, "train")


def require_keras() -> None:
    """Import Keras and start its backend without their log messages; MissingExtra if one is not installed."""
    require("keras", "keras", "train")
    if not any(importlib.util.find_spec(backend) for backend in ("tensorflow", "jax", "torch")):
        raise MissingExtra("tensorflow", "train")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with quiet():
        import keras

        if "TF_CONFIG" not in os.environ:  # with it, workers must connect before the first operation
            keras.ops.zeros(1)  # the first operation searches for a GPU, and complains if there is none

"""Several machines, one training: those that TF_CONFIG names share every batch (tf.distribute's MultiWorkerMirrored).

Each makes the whole batch, which is cheap, and learns from its part of it. Gradients and the statistics of the batch
norms are the whole batch's, so what comes out is what one machine would have got, but for dropout: all workers drop the
same units.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from edge.errors import UsageError
from train.runs import BACKBONE


@dataclass(frozen=True)
class Team:
    """Who trains together; only the chief writes. Variables are made, and learn, within `scope`.

    `agreed` gives the mean of what each worker brings: whatever decides how the training goes on must be one value.
    """

    size: int = 1
    chief: bool = True
    scope: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    agreed: Callable[[float], float] = float


def team() -> Team:
    """The machines of TF_CONFIG, connected; without it, or with one machine in it, this one alone.

    To be called before anything else of TensorFlow's.
    """
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        size = sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
        if size < 2:
            return Team()
        chief = task["type"] == "chief" or ("chief" not in cluster and task["index"] == 0)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(f'expected TF_CONFIG as {{"cluster": {{"worker": [...]}}, "task": ...}}: {error}') from error
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"TF_CONFIG needs KERAS_BACKEND=tensorflow, found {keras.backend.backend()}; unset one of them"
        )
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def agreed(value: float) -> float:
        return float(strategy.reduce("MEAN", tf.constant([value], tf.float64), axis=0))

    return Team(size, chief, strategy.scope, agreed)


def shared(model: keras.Model) -> keras.Model:
    """The same layers and weights, made within a team's scope, so that `fit` works there; call it outside of the scope.

    Keras 3's own `fit` fails under this strategy twice (tensorflow/tensorflow#72388): it looks at a batch before it is
    put together, but only with a model that was made within the scope; and it averages the workers' results along an
    axis that single numbers lack.
    """
    synchronize(model, True)
    model = keras.Model(model.inputs, model.outputs, name=model.name)
    for name in ("train_step", "test_step"):
        setattr(model, name, _with_an_axis(getattr(model, name)))
    return model


def synchronize(model: keras.Model, together: bool) -> None:
    """Let batch norms see the whole batch, or a worker's part. A file of the former opens in TensorFlow alone."""
    for layer in model.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = together


def _with_an_axis(step: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    return lambda data: {name: value[None] for name, value in step(data).items()}

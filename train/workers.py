"""Train on several machines at once: those listed in TF_CONFIG share every batch (MultiWorkerMirroredStrategy).

Each worker makes the whole batch, which is cheap, and trains on its part. Gradients and batch norm statistics are those
of the whole batch, so the result is that of one machine, except for dropout: all workers drop the same units.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from edge.errors import UsageError
from train.cluster import Cluster
from train.runs import BACKBONE


@dataclass(frozen=True)
class Team:
    """Describe the workers of a training.

    The chief alone writes results; variables are created and trained within `scope`. `mean` returns the mean of all
    workers' values: decisions about the training must rest on the same value everywhere.
    """

    size: int = 1
    chief: bool = True
    scope: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    mean: Callable[[float], float] = float


def connect(cluster: Cluster) -> Team:
    """Connect the workers of a cluster. Must come before all other uses of TensorFlow; raises UsageError without it."""
    if cluster.size < 2:
        return Team()
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"TF_CONFIG needs KERAS_BACKEND=tensorflow, found {keras.backend.backend()}; unset one of them"
        )
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def mean(value: float) -> float:
        return float(strategy.reduce("MEAN", tf.constant([value], tf.float64), axis=0))

    return Team(cluster.size, cluster.chief, strategy.scope, mean)


def distributed(model: keras.Model) -> keras.Model:
    """Return a model of the same layers and weights whose `fit` works under the strategy; call it outside the scope.

    The model's variables must have been created within the scope. Keras 3's own `fit` fails twice under this strategy
    (tensorflow/tensorflow#72388): it inspects a batch before it is assembled, but only for models created within the
    scope; and it averages the workers' results along an axis that scalars lack.
    """
    synchronize_batch_norm(model, True)
    model = keras.Model(model.inputs, model.outputs, name=model.name)
    train_step = model.train_step
    model.train_step = lambda data: {name: value[None] for name, value in train_step(data).items()}
    return model


def synchronize_batch_norm(model: keras.Model, enabled: bool) -> None:
    """Make batch norms use the whole batch's statistics, or a worker's own. Only TensorFlow opens files with it on."""
    for layer in model.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = enabled

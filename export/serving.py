"""Build the graph that is exported: one face at a time, pixels in, probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def serving_model(model: keras.Model, dtype: str) -> keras.Model:
    """Return the model for one face at a time, [1, size, size, 3] of `dtype`; casting the pixels is part of it."""
    import keras

    pixels = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=dtype, name="pixels")
    return keras.Model(pixels, model(keras.ops.cast(pixels, "float32")), name=model.name)

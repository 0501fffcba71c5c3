"""Define the protocol of a runtime with a loaded model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from edge.card import ModelCard
from edge.errors import ModelError
from edge.model_file import ModelFile
from edge.values import Image, Probabilities


class Backend(Protocol):
    """Run one model on one runtime. The constructor raises ModelError or MissingExtra."""

    name: str
    card: ModelCard
    invoke: Callable[..., Any]  # the library's call; the benchmarks time it alone

    def __init__(self, model: ModelFile, threads: int) -> None: ...

    def run(self, pixels: Image) -> Probabilities:
        """Return the probabilities, float32 [labels], of pixels, uint8 [size, size, 3] RGB."""
        ...

    def another(self) -> Backend:
        """Return a backend of the same model, with one thread, that runs while this one runs."""
        ...


def check_graph(model: ModelFile, input_shape: Iterable[int], input_type: object, output_shape: Iterable[int]) -> None:
    """Raise ModelError unless the graph matches its card: uint8 [1, size, size, 3] -> [1, labels]."""
    path = model.path
    card = model.card
    expected = [1, card.input_size, card.input_size, 3]
    if list(output_shape) != [1, len(card.labels)]:
        raise ModelError(f"expected {len(card.labels)} outputs, one a label, in {path}, found {list(output_shape)}")
    if list(input_shape) != expected or input_type != np.uint8:
        raise ModelError(f"expected an input uint8 {expected} in {path}, found {input_type} {list(input_shape)}")

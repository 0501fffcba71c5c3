"""Define the protocol of a runtime with a loaded model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from edge.backends.tensors import Signature
from edge.card import ModelCard
from edge.model_file import ModelFile
from edge.values import Image, Probabilities


class Backend(Protocol):
    """Run one model on one runtime. The constructor raises ModelError or MissingExtra."""

    name: str
    card: ModelCard
    threads: int
    invoke: Callable[..., Any]  # the library's call; the benchmarks time it alone

    def __init__(self, model: ModelFile, threads: int) -> None: ...

    @staticmethod
    def signature(graph: bytes, path: Path) -> Signature:
        """Return the inputs and outputs of a graph, which was read from `path`. Raises ModelError or MissingExtra."""
        ...

    def run(self, pixels: Image) -> Probabilities:
        """Return the probabilities, float32 [labels], of pixels, uint8 [size, size, 3] RGB."""
        ...

    def another(self) -> Backend:
        """Return a backend of the same model, with one thread, that runs while this one runs."""
        ...

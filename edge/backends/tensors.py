"""Convert pixels to a graph's input tensor, and its output tensor to probabilities, as the model's card says.

Files of this project take uint8 RGB pixels as they are. Files of other tools (edge.adopt) scale their pixels outside
the graph, take one grey channel, or have the channels first. A pixel has 256 values: a table holds what each becomes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.card import LOGITS, PROBABILITIES, SCORES, ModelCard
from edge.errors import ModelError
from edge.values import Floats, Image, Probabilities

IMAGENET = "imagenet"
# What is subtracted from a pixel of 0..255, and what it is divided by then, for each scale of a card.
SCALES: dict[str, tuple[Any, Any]] = {
    "0..1": (0.0, 255.0),
    "-1..1": (127.5, 127.5),
    "0..255": (0.0, 1.0),
    IMAGENET: (np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])),  # of torchvision's models
}
LISTED = 2  # inputs or outputs that a message describes
RANGE_TOLERANCE = 0.001  # of each probability: rounding alone
SUM_TOLERANCE = 0.05  # of probabilities that are quantized


@dataclass(frozen=True)
class Tensor:
    """Describe an input or output of a graph; a dimension of -1 is free."""

    shape: tuple[int, ...]
    type: str  # uint8, int8, float32 ...

    @classmethod
    def of(cls, shape: Iterable[object], kind: object) -> Tensor:
        """Describe a tensor of a runtime, whose free dimensions are texts or None."""
        return cls(tuple(int(side) if isinstance(side, (int, np.integer)) else -1 for side in shape), str(kind))

    def __str__(self) -> str:
        return f"[{','.join('?' if side < 0 else str(side) for side in self.shape)}] {self.type}"


def _listed(kind: str, tensors: Sequence[Tensor]) -> str:
    first = " and ".join(f"{kind} {tensor}" for tensor in tensors[:LISTED])
    return first + (f" and {len(tensors) - LISTED} more" if len(tensors) > LISTED else "")


@dataclass(frozen=True)
class Signature:
    """Describe the inputs and outputs of a graph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precision: str  # for the card; see edge.card

    def __str__(self) -> str:
        if len(self.outputs) == 1 and (count := self.output_count):
            answers = f"{count} outputs"
        else:
            answers = _listed("output", self.outputs)
        return f"{_listed('input', self.inputs)}, {answers}"

    @property
    def output_count(self) -> int:
        """Return the number of values of the only output, whose other dimensions are 1 or free; 0 if there are more."""
        sides = [side for side in self.outputs[0].shape if side not in (1, -1)]
        return sides[0] if len(self.outputs) == 1 and len(sides) == 1 else 0


def check_signature(card: ModelCard, found: Signature, place: str) -> None:
    """Raise ModelError unless a graph matches its card: one square picture in, one value a label out."""
    if found.output_count != len(card.labels):
        raise ModelError(f"expected {len(card.labels)} outputs, one a label, in {place}, found {found}")
    size = card.input_size
    shape = (1, size, size, card.channels) if card.input_layout == "nhwc" else (1, card.channels, size, size)
    expected = Tensor(shape, card.input_type)
    first = found.inputs[0]
    fits = len(first.shape) == 4 and all(side in (wanted, -1) for side, wanted in zip(first.shape, shape, strict=True))
    if len(found.inputs) != 1 or not fits or first.type != expected.type:
        raise ModelError(f"expected an input {expected} in {place}, found {found}")


class Tensors:
    """Convert between pixels and probabilities and the tensors of one graph.

    `quantization` is the scale and zero point of an integer input; a scale of 0 means that it has none. `answers` is
    what each value of a quantized output stands for, indexed by that value.
    """

    def __init__(
        self, card: ModelCard, quantization: tuple[float, int] = (0.0, 0), answers: Floats | None = None
    ) -> None:
        self._answers = answers
        self._channels = card.channels
        self._is_nchw = card.input_layout == "nchw"
        self._outputs = card.outputs
        table = _table(card, *quantization)
        self._table = None if table.dtype == np.uint8 and (table == np.arange(256)[:, None]).all() else table
        self._as_they_are = self._table is None and card.channels == 3 and not self._is_nchw

    def input(self, pixels: Image) -> npt.NDArray[Any]:
        """Return the input tensor, [1, size, size, channels] or channels first, of pixels [size, size, 3]."""
        if self._as_they_are:
            return pixels[None]
        values: npt.NDArray[Any] = pixels[..., : self._channels]
        if self._table is not None:
            values = self._table[values, np.arange(self._channels) % self._table.shape[1]]
        if self._is_nchw:
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values)[None]

    def probabilities(self, values: npt.NDArray[Any]) -> Probabilities:
        """Return the probabilities, float32 [labels], of the graph's output of any shape.

        Outputs that are not finite, as where 16 bits overflow, say nothing: all labels are alike then.
        """
        if self._answers is not None:
            return to_probabilities(self._answers.take(values).reshape(-1), self._outputs)
        floats = np.asarray(values, dtype=np.float32).reshape(-1)
        decisive = floats.max() if self._outputs == LOGITS else floats  # a logit of -infinity is a probability of 0
        if not np.isfinite(decisive).all():
            return np.full(len(floats), 1 / len(floats), dtype=np.float32)
        return to_probabilities(floats, self._outputs)


def _table(card: ModelCard, scale: float, zero_point: int) -> npt.NDArray[Any]:
    """Return what each pixel value becomes, [256, 1] or, if it depends on the channel, [256, 3]."""
    mean, deviation = SCALES[card.input_scale]
    values = (np.arange(256)[:, None] - mean) / deviation
    dtype = np.dtype(card.input_type)
    if dtype.kind == "f":
        return np.asarray(values, dtype=dtype)
    if scale:
        values = values / scale + zero_point
    limits = np.iinfo(dtype)
    return np.asarray(np.clip(np.round(values), limits.min, limits.max), dtype=dtype)


def to_probabilities(values: Floats, kind: str) -> Probabilities:
    """Return the probabilities of a graph's outputs, float32 [..., labels]; see `kind_of_outputs`."""
    if kind == LOGITS:
        values = np.exp(values - values.max(axis=-1, keepdims=True))
    if kind == SCORES:
        values = np.maximum(values, 1e-7)
    return values if kind == PROBABILITIES else np.asarray(values / values.sum(axis=-1, keepdims=True), np.float32)


def kind_of_outputs(values: Floats) -> str:
    """Tell probabilities from logits and from independent scores of 0 to 1 (sigmoids), by outputs float32 [n, labels].

    Raises ModelError for values that are not finite.
    """
    if not np.isfinite(values).all():
        raise ModelError("expected finite outputs on the built-in face, found NaN or infinity; check --scale")
    if values.min() < -RANGE_TOLERANCE or values.max() > 1 + RANGE_TOLERANCE:
        return LOGITS
    return PROBABILITIES if np.abs(values.sum(axis=-1) - 1).max() <= SUM_TOLERANCE else SCORES

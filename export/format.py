"""Describe what one file format adds to the export that all formats share (export.exporter)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.card import ModelCard
from edge.values import Image, Probabilities
from export.calibrate import Calibration, Ranges
from train.data import FaceSet

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Format:
    """Describe one file format; every model passed to its functions is folded (export.folding)."""

    suffix: str
    usage: str  # the docstring of the format's module
    packages: tuple[str, ...]  # needed to convert, from the extra `train`
    precisions: tuple[str, ...]
    kernel_limit: int  # largest integer of an int8 kernel
    convert: Callable[[keras.Model, str, Calibration | None], bytes]  # model, precision, calibration if quantized
    measure_ranges: Callable[[keras.Model, FaceSet], Ranges]
    reference: Callable[[bytes, Image], Probabilities]  # the graph's answer, [labels], to pixels, by reference kernels
    write: Callable[[Path, bytes, ModelCard], None]

"""What one file format is to the story that all formats share (export.command)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.card import ModelCard
from export.calibrate import Calibration, Ranges
from train.data import FaceSet

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Format:
    """What one file format adds to the story."""

    suffix: str
    usage: str  # the docstring of the format's module
    packages: tuple[str, ...]  # that it needs, from the extra `train`
    precisions: tuple[str, ...]
    convert: Callable[[keras.Model, str, Calibration | None], bytes]  # model, precision, calibration where rounded
    ranges: Callable[[keras.Model, FaceSet], Ranges]
    write: Callable[[Path, bytes, ModelCard], None]

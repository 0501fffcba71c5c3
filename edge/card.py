"""Define the model card: the metadata inside a model file that makes it self-contained.

In a .tflite file the card is `card.json` in the zip archive appended to the flatbuffer, next to `labels.txt`. The
standard TFLite metadata list both as associated files (see export.flatbuffer). In an .onnx file it is the entry `card`
of metadata_props.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from edge.errors import ModelError

MAX_SIZE = 1024  # pixels
CARD_FILE = "card.json"
LABELS_FILE = "labels.txt"
ONNX_KEY = "card"
TARGETS = ("votes", "labels")  # accuracies against different targets cannot be compared


@dataclass(frozen=True)
class ModelCard:
    """Describe a model to the code that runs it; sizes in pixels. Raises ModelError for values out of range."""

    labels: tuple[str, ...]
    input_size: int
    face_size: int  # resolution of the training faces; see edge.preprocess.to_input
    precision: str  # float32, float16, dynamic (int8 kernels) or int8
    architecture: str
    colour: str = "grey"  # three equal channels
    crop_margin: float = 0.0  # of the detector's box; see edge.preprocess.crop
    macs: int | None = None  # multiply-adds of one inference
    training_data: str = ""
    targets: str = "labels"  # of the training: a data set's labels, or annotators' votes; see TARGETS
    licence: str = ""
    keras_sha256: str = ""
    calibration: dict[str, Any] | None = None
    validation: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ModelError(f"expected a card with distinct labels, found {self.labels}")
        if not isinstance(self.crop_margin, (int, float)) or not 0 <= self.crop_margin < 10:
            raise ModelError(f"expected a crop margin from 0 to below 10, found {self.crop_margin!r}")
        if min(self.input_size, self.face_size) < 1 or max(self.input_size, self.face_size) > MAX_SIZE:
            raise ModelError(f"expected sizes of 1 to {MAX_SIZE}, found input {self.input_size}, face {self.face_size}")
        accuracy = self.validation.get("accuracy", 0) if isinstance(self.validation, dict) else None
        if not isinstance(accuracy, (int, float)) or not 0 <= accuracy <= 1:
            raise ModelError(f"expected a validation accuracy from 0 to 1, if any, found {self.validation!r}")
        if self.targets not in TARGETS:
            raise ModelError(f"expected targets {' or '.join(TARGETS)}, found {self.targets!r}")
        if self.macs is not None and (not isinstance(self.macs, int) or self.macs < 1):
            raise ModelError(f"expected a positive number of multiply-adds (macs), if any, found {self.macs!r}")
        if self.colour != "grey":
            raise ModelError(f"expected a model for grey faces, found colour mode {self.colour!r}")

    def to_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> ModelCard:
        """Parse a card; ignore unknown fields, which a later version may add. Raises ModelError for a damaged card."""
        try:
            values = json.loads(text)
            arguments = {item.name: values[item.name] for item in fields(cls) if item.name in values}
            return cls(**{**arguments, "labels": tuple(values["labels"])})
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"damaged card in {path}: {error}; export the model again") from error


def read_tflite_card(path: Path) -> ModelCard:
    """Return the card of a .tflite file. Raises ModelError if it has none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return ModelCard.from_json(archive.read(CARD_FILE).decode(), path)
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ModelError(f"expected a model with a card inside, found none in {path}; make one with export") from error

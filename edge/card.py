"""Define the model card: the metadata inside a model file that makes it self-contained.

A card comes from a file that anybody may have written: every value is checked before it is used. edge.model_file reads
and writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from edge.untrusted import parse_json, printable

MAX_SIZE = 1024  # pixels
MAX_MARGIN = 10
MAX_MACS = 10**15
MAX_LABELS = 1000
MAX_LABEL = 40  # characters
MAX_TEXT = 1000  # characters of any other text
MAX_DEPTH = 8  # of dictionaries and lists inside each other
TARGETS = ("votes", "labels")  # the better ones first; accuracies against different targets cannot be compared
PROBABILITIES, LOGITS, SCORES = "probabilities", "logits", "scores"  # scores: each from 0 to 1, with any sum
# Fields with few values; see edge.preprocess for `colour`, edge.backends.tensors for `input_...` and `outputs`.
CHOICES: dict[str, tuple[Any, ...]] = {
    "targets": TARGETS,
    "colour": ("grey", "rgb"),  # grey: all channels are equal
    "channels": (3, 1),
    "input_type": ("uint8", "int8", "float32", "float16"),
    "input_scale": ("0..255", "0..1", "-1..1", "imagenet"),
    "input_layout": ("nhwc", "nchw"),
    "outputs": (PROBABILITIES, LOGITS, SCORES),
}


@dataclass(frozen=True)
class ModelCard:
    """Describe a model to the code that runs it; sizes in pixels. Raises ModelError for values out of range."""

    labels: tuple[str, ...]
    input_size: int
    face_size: int  # resolution of the training faces; see edge.preprocess.to_input
    precision: str  # float32, float16, dynamic (int8 kernels) or int8
    architecture: str
    colour: str = "grey"
    channels: int = 3
    input_type: str = "uint8"
    input_scale: str = "0..255"  # of the pixels that enter the graph
    input_layout: str = "nhwc"
    outputs: str = PROBABILITIES
    crop_margin: float = 0.0  # of the detector's box; see edge.preprocess.crop
    macs: int | None = None  # multiply-adds of one inference
    training_data: str = ""
    targets: str = "labels"  # of the training: a data set's labels, or annotators' votes; see TARGETS
    licence: str = ""
    keras_sha256: str = ""
    graph_sha256: str = ""  # of the graph in the same file; see edge.model_file
    face_probabilities: tuple[float, ...] = ()  # of the built-in face; see edge.self_check
    calibration: dict[str, Any] | None = None
    validation: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Return the hash that tells this model from others: its Keras file's or, of an adopted model, its graph's."""
        return self.keras_sha256 or self.graph_sha256

    def __post_init__(self) -> None:
        self._check_labels()
        self._check_numbers()
        if not isinstance(self.calibration, (dict, type(None))) or not isinstance(self.versions, dict):
            raise ModelError(f"expected a calibration and versions by name, found {self.calibration!r:.80}")
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices or isinstance(value, bool):
                raise ModelError(f"expected {name} {' or '.join(map(str, choices))}, found {value!r:.80}")
        for name in ("precision", "architecture", "training_data", "licence", "keras_sha256", "graph_sha256"):
            if not isinstance(getattr(self, name), str):
                raise ModelError(f"expected a text as {name}, found {getattr(self, name)!r:.80}")
        for text in _texts([getattr(self, item.name) for item in fields(self)]):
            if len(text) > MAX_TEXT or printable(text) != text:
                raise ModelError(f"expected printable text of at most {MAX_TEXT} characters, found {text!r:.80}")

    def _check_labels(self) -> None:
        count = len(self.labels)
        if not all(map(_is_label, self.labels)) or not 2 <= count <= MAX_LABELS or len(set(self.labels)) < count:
            raise ModelError(
                f"expected 2 to {MAX_LABELS} distinct printable labels of 1 to {MAX_LABEL} characters, "
                f"found {self.labels!r:.80}"
            )

    def _check_numbers(self) -> None:
        for name in ("input_size", "face_size"):
            if not _is_whole(getattr(self, name), MAX_SIZE):
                raise ModelError(f"expected sizes of 1 to {MAX_SIZE}, found {name} {getattr(self, name)!r:.80}")
        if self.macs is not None and not _is_whole(self.macs, MAX_MACS):
            raise ModelError(f"expected a positive number of multiply-adds (macs), if any, found {self.macs!r:.80}")
        if not _is_number(self.crop_margin, MAX_MARGIN):
            raise ModelError(f"expected a crop margin from 0 to {MAX_MARGIN}, found {self.crop_margin!r:.80}")
        if not isinstance(self.validation, dict) or not _is_number(self.validation.get("accuracy", 0), 1):
            raise ModelError(f"expected a validation accuracy from 0 to 1, if any, found {self.validation!r:.80}")
        answer = self.face_probabilities
        if len(answer) not in (0, len(self.labels)) or not all(_is_number(value, 1) for value in answer):
            raise ModelError(f"expected a probability of the built-in face for each label, found {answer!r:.80}")

    def to_json(self) -> str:
        """Return the card as JSON."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, content: bytes | str, path: Path) -> ModelCard:
        """Parse a card; ignore unknown fields, which a later version may add. Raises ModelError for a damaged card."""
        try:
            values = parse_json(content)
            if not isinstance(values, dict) or not isinstance(values["labels"], list):
                raise ValueError("expected values by name, and a list of labels")
            known = {item.name: values[item.name] for item in fields(cls) if item.name in values}
            answer = tuple(known.get("face_probabilities", ()))
            return cls(**{**known, "labels": tuple(values["labels"]), "face_probabilities": answer})
        except (ValueError, KeyError, TypeError, ModelError) as error:
            raise ModelError(f"damaged card in {path}: {error}; export the model again") from error


def _is_label(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_LABEL and value.isprintable()


def _is_whole(value: Any, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= high


def _is_number(value: Any, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= high


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text inside a value. Raises ModelError where it is nested deeper than a card is."""
    if depth > MAX_DEPTH:
        raise ModelError(f"expected at most {MAX_DEPTH} levels of values inside each other, found more")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in (*value.keys(), *value.values()) for text in _texts(item, depth + 1))
    elif isinstance(value, (list, tuple)):
        yield from (text for item in value for text in _texts(item, depth + 1))


def best_targets(found: Iterable[str]) -> str | None:
    """Return which of the targets of some models is the best, None without any: only such models are compared."""
    return min(found, key=TARGETS.index, default=None)

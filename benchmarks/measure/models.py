"""Open the model files, describe them, and choose the one to deploy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.results import ModelInfo, ModelResult
from edge.auto_model import ACCURACY_BUDGET
from edge.backend import open_backend
from edge.backends.base import Backend
from edge.card import best_targets


@dataclass(frozen=True)
class Candidate:
    """Hold a model file to be measured, opened on one thread."""

    info: ModelInfo
    backend: Backend


def open_models(files: Sequence[Path]) -> list[Candidate]:
    """Open each file once, on one thread, float32 first.

    Raises ModelError for a file that is no model of this project, MissingExtra where its runtime is not installed.
    """
    unique = {file.resolve(): file for file in files}.values()
    models = [_open(file) for file in unique]
    models.sort(key=lambda model: model.info.precision != "float32")
    names = [model.info.name for model in models]
    infos = [model.info for model in models]
    return [
        Candidate(
            replace(
                model.info,
                name=model.info.name if names.count(model.info.name) == 1 else model.info.file,
                base=find_base(model.info, infos),
            ),
            model.backend,
        )
        for model in models
    ]


def _open(file: Path) -> Candidate:
    backend = open_backend(file, 1)
    card = backend.card
    info = ModelInfo(
        file=_relative(file),
        format=file.suffix[1:],
        precision=card.precision,
        runtime=backend.name,
        size_bytes=file.stat().st_size,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        keras_sha256=card.keras_sha256,
        macs=card.macs,
        accuracy_on_card=card.validation.get("accuracy"),
        name=file.name,
        base=None,
        targets=card.targets,
    )
    return Candidate(info, backend)


def _relative(file: Path) -> str:
    """Return the path from the current folder, where the file is below it: reports are read on other machines."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def find_base(model: ModelInfo, others: Sequence[ModelInfo]) -> str | None:
    """Return the float32 file of the same Keras model and format, which differs in precision alone."""
    for other in others:
        same_model = model.keras_sha256 and other.keras_sha256 == model.keras_sha256
        if same_model and other.format == model.format and other.precision == "float32" and other is not model:
            return other.file
    return None


def choose(models: Sequence[ModelResult]) -> int:
    """Return the index of the fastest model, on one thread, among those within one point of the best accuracy.

    Accuracy is that measured here or, without a data set, that on the model's card. Models that learned votes are
    preferred to those that learned labels; the accuracies of the two are never compared.
    """
    targets = best_targets(model.info.targets for model in models)
    accuracies = {i: _accuracy(model) for i, model in enumerate(models) if model.info.targets == targets}
    minimum = max(accuracies.values()) - ACCURACY_BUDGET
    accurate = [i for i, accuracy in accuracies.items() if accuracy >= minimum]
    return min(accurate, key=lambda i: models[i].single_thread.p50.value)


def _accuracy(model: ModelResult) -> float:
    return model.scores.accuracy.value if model.scores else model.info.accuracy_on_card or 0.0

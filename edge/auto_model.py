"""Choose the model file for this machine: the fastest of those nearly as accurate as the best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.backend import BACKENDS, SHIPPED, open_backend
from edge.backends.base import Backend
from edge.card import best_targets
from edge.detectors.yunet import MODEL as FACE_DETECTOR
from edge.errors import MissingExtra, ModelError
from edge.files import same_file
from edge.timing import time_inference
from edge.untrusted import printable

AUTO = Path("auto")  # in place of a file: choose among the shipped models
ACCURACY_BUDGET = 0.01  # accuracy that may be lost for speed
TIMED_RUNS = 60  # inferences a file
ANY_FACE = np.full((48, 48), 128, np.uint8)  # the time does not depend on its pixels


@dataclass(frozen=True)
class OpenModel:
    """Hold a model's file, the backend that runs it, and why it was chosen, if it was."""

    path: Path
    backend: Backend
    reason: str | None = None


def open_model(path: Path, threads: int) -> OpenModel:
    """Open a model file or, for `auto` or a folder, the fastest file. Raises ModelError, MissingExtra or UsageError."""
    if path == AUTO:
        return open_fastest(SHIPPED.parent, threads)
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        return open_fastest(path, threads)
    return OpenModel(path, open_backend(path, threads))


def open_fastest(folder: Path, threads: int) -> OpenModel:
    """Time the models of a folder and return the fastest within the accuracy budget.

    Models trained on annotators' votes are preferred to those trained on a data set's labels; the accuracies of the two
    are never compared. Raises ModelError if no model can be opened.
    """
    models, problems = _open_all(folder, threads)
    targets = best_targets(model.backend.card.targets for model in models)
    others = [model for model in models if model.backend.card.targets != targets]
    problems += [f"{model.path.name} left out: it was trained on {model.backend.card.targets}" for model in others]
    models = [model for model in models if model.backend.card.targets == targets]
    if not models:
        details = f" ({'; '.join(problems)})" if problems else ""
        suffixes = " ".join(BACKENDS)
        raise ModelError(f"expected model files ({suffixes}) in {folder}, found none that opens here{details}")
    times = time_inference([model.backend for model in models], [ANY_FACE], TIMED_RUNS)
    medians_ms = [float(np.median(values)) for values in times]
    min_accuracy = max(_accuracy(model.backend) for model in models) - ACCURACY_BUDGET
    ranking = sorted(range(len(models)), key=lambda i: (_accuracy(models[i].backend) < min_accuracy, medians_ms[i]))
    chosen = models[ranking[0]]
    rows = [f"{models[i].path.name} {medians_ms[i]:.2f} ms {_accuracy(models[i].backend):.2%}" for i in ranking]
    reason = printable(
        f"{chosen.path.name}: the fastest here within {ACCURACY_BUDGET:.0%} of the best accuracy"
        f" ({'; '.join([*rows, *problems])})"
    )
    return OpenModel(chosen.path, chosen.backend, reason)


def _open_all(folder: Path, threads: int) -> tuple[list[OpenModel], list[str]]:
    """Open the model files of a folder; return those that open here, and a message for each that does not."""
    models = []
    problems = []
    for path in sorted(item for item in folder.iterdir() if item.suffix in BACKENDS):
        if same_file(path, FACE_DETECTOR):
            continue
        try:
            models.append(OpenModel(path, open_backend(path, threads)))
        except (MissingExtra, ModelError) as error:
            problems.append(f"{path.name} left out: {error}")
    return models, problems


def _accuracy(backend: Backend) -> float:
    """Return the validation accuracy on the model's card; 0 if it has none."""
    return float(backend.card.validation.get("accuracy") or 0.0)

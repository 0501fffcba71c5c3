"""Which of the model files at hand to run on this machine: the fastest of those that are nearly as true as the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.backend import BACKENDS, open_backend
from edge.backends.base import Backend
from edge.errors import MissingExtra, ModelError
from edge.timing import time_inference

BUDGET = 0.01  # of accuracy, below the best file's
RUNS = 60  # timed inferences a file
ANY_FACE = np.full((48, 48), 128, np.uint8)  # its pixels do not matter to the time


def fastest(folder: Path, threads: int) -> tuple[Path, Backend, str]:
    """The chosen file, opened, and why it was chosen, in words. Raises ModelError where there is none to choose."""
    opened, notes = _open_all(folder, threads)
    if not opened:
        why = f" ({'; '.join(notes)})" if notes else ""
        raise ModelError(f"expected model files ({' '.join(BACKENDS)}) in {folder}, found none that opens here{why}")
    times = time_inference([item for _, item in opened], [ANY_FACE], RUNS)
    best = max(_accuracy(item) for _, item in opened)
    rows = []
    for (path, backend), spent in zip(opened, times, strict=True):
        within = _accuracy(backend) >= best - BUDGET
        rows.append((not within, float(np.median(spent)), path, backend))
    rows.sort(key=lambda row: row[:2])
    listed = "; ".join(f"{path.name} {ms:.2f} ms {_accuracy(item):.2%}" for _, ms, path, item in rows)
    _, _, path, backend = rows[0]
    words = f"{path.name}: the fastest here within {BUDGET:.0%} of the best accuracy ({'; '.join([listed, *notes])})"
    return path, backend, words


def _open_all(folder: Path, threads: int) -> tuple[list[tuple[Path, Backend]], list[str]]:
    """The files that open on this machine, and a word on those that do not."""
    opened, notes = [], []
    for path in sorted(item for item in folder.iterdir() if item.suffix in BACKENDS):
        try:
            opened.append((path, open_backend(path, threads)))
        except (MissingExtra, ModelError) as error:
            notes.append(f"{path.name} left out: {error}")
    return opened, notes


def _accuracy(backend: Backend) -> float:
    """On the validation split, as its card says; 0 where it does not."""
    return float(backend.card.validation.get("accuracy") or 0.0)

"""Open the face detectors that work on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from edge import detector as registry  # by module: the table may get rows at run time
from edge.detectors.base import Detector
from edge.errors import MissingExtra, ModelError, UsageError


def open_detectors(model: Path | None = None, names: Sequence[str] = ()) -> list[Detector]:
    """Open every detector of the table, or those named.

    `model` is offered to each of them; one that cannot use it opens its own. A detector that does not work here is left
    out with a note on stderr or, if it was named, raises ModelError or MissingExtra. Raises ModelError where no
    detector works here or none can use `model`.
    """
    detectors: list[Detector] = []
    problems: list[str] = []
    refusals: list[str] = []
    for name in names or registry.DETECTORS:
        try:
            detectors.append(_open(name, model, refusals))
        except (MissingExtra, ModelError) as error:
            if names:
                raise
            problems.append(f"{name}: {error}")
    if not detectors:
        raise ModelError(f"expected a detector that works here, found none ({'; '.join(problems)})")
    if model and len(refusals) >= len(detectors):
        raise ModelError(f"expected --detector-model a file for a detector, found {model} ({'; '.join(refusals)})")
    for problem in problems:
        print(f"left out: detector {problem}", file=sys.stderr)
    return detectors


def _open(name: str, model: Path | None, refusals: list[str]) -> Detector:
    """Open a detector with `model` or, noting why it refuses that, without."""
    if model:
        try:
            return registry.open_detector(name, model)
        except (ModelError, UsageError) as error:
            refusals.append(f"{name}: {error}")
    return registry.open_detector(name)

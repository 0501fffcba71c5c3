"""Open the face detectors that work on this machine, and detect faces in pictures of any size."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from edge import detector as registry  # by module: the table may get rows at run time
from edge.detectors.base import Detector
from edge.errors import MissingExtra, ModelError, SourceError, UsageError
from edge.opencv import translate_errors
from edge.quiet import quiet
from edge.untrusted import printable
from edge.values import Face, Image


def open_detectors(model: Path | None = None, names: Sequence[str] = ()) -> list[Detector]:
    """Open every detector of the table, or those named.

    `model` is offered to each of them; one that cannot use it opens its own. A detector that does not work here is left
    out with a note on stderr or, if it was named, raises ModelError or MissingExtra. Raises ModelError where no
    detector works here or none can use `model`.
    """
    detectors, left_out = working_detectors(model, names)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    return detectors


def working_detectors(model: Path | None = None, names: Sequence[str] = ()) -> tuple[list[Detector], list[str]]:
    """Return the detectors of open_detectors, and why each of the others is left out."""
    chosen = names or list(registry.DETECTORS)
    with_model = _open_with(model, chosen) if model else {}
    detectors = []
    problems = []
    for name in chosen:
        try:
            with quiet():  # one line below reports a detector that does not work
                detectors.append(with_model.get(name) or registry.open_detector(name))
        except (MissingExtra, ModelError) as error:
            if names:
                raise
            problems.append(f"detector {name}: {error}")
    if not detectors:
        raise ModelError(f"expected a detector that works here, found none ({'; '.join(problems)})")
    return detectors, problems


def detect(detector: Detector, image: Image, path: Path, smallest: float | None = None) -> list[Face]:
    """Return the faces of a picture, largest first; none, with a note on stderr, where OpenCV fails at its size."""
    try:
        with translate_errors(SourceError, f"no face is found: {path} with {detector.name}"):
            return detector.detect(image, smallest)
    except SourceError as error:
        print(printable(str(error)), file=sys.stderr)
        return []


def _open_with(model: Path, names: Sequence[str]) -> dict[str, Detector]:
    """Open the detectors that can use a model file; ModelError if there are none."""
    detectors = {}
    refusals = []
    for name in names:
        try:
            with quiet():
                detectors[name] = registry.open_detector(name, model)
        except (MissingExtra, ModelError, UsageError) as error:
            refusals.append(f"{name}: {error}")
    if not detectors:
        raise ModelError(f"expected --detector-model a file for a detector, found {model} ({'; '.join(refusals)})")
    return detectors

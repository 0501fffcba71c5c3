"""The faces that tell the quantizer which values occur, and what they told: saved with the model, it needs them once.

The faces are real, from the training split, stratified by emotion, seeded, and named by a hash. What they told stands
beside the model, as `model.tflite.npz` or `model.onnx.npz`: from then on int8 needs no data set, and comes out alike.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import DataError, ModelError
from edge.files import atomic_write
from edge.labels import EMOTIONS
from edge.values import Floats
from train.data import FaceSet

FACES = 140  # 20 of each emotion
SEED = 0

Ranges = dict[str, tuple[float, float]]  # tensor of the float graph -> its lowest and highest value


@dataclass
class Calibration:
    """What int8 needs besides the model, for one file format."""

    keras_sha256: str  # of the .keras file that it belongs to
    faces: dict[str, Any]  # see `describe`
    shifts: dict[str, Floats]  # see export.correct
    ranges: Ranges
    proven: dict[str, dict[str, Any]] = field(default_factory=dict)  # sha256 of a graph -> its parity on PublicTest

    def save(self, path: Path) -> None:
        about = {"keras_sha256": self.keras_sha256, "faces": self.faces, "proven": self.proven}
        arrays: dict[str, Any] = {f"shift/{layer}": shift for layer, shift in self.shifts.items()}
        with atomic_write(path) as tmp:
            np.savez_compressed(
                tmp,
                about=np.array(json.dumps({**about, "tensors": list(self.ranges)}, sort_keys=True)),
                ranges=np.array(list(self.ranges.values()), dtype=np.float32),
                **arrays,
            )


def read_calibration(path: Path) -> Calibration:
    """A saved calibration; ModelError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            pairs = zip(about.pop("tensors"), file["ranges"].tolist(), strict=True)
            shifts = {name.removeprefix("shift/"): file[name] for name in file.files if name.startswith("shift/")}
            return Calibration(shifts=shifts, ranges={name: (low, high) for name, (low, high) in pairs}, **about)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ModelError(f"damaged calibration {path}: {error}; remove it and export with --data") from error


def sample(faces: FaceSet, count: int = FACES, seed: int = SEED) -> FaceSet:
    """The same number of faces of each emotion, from the training split alone."""
    if faces.split != "train":
        raise DataError(f"expected calibration faces from the training split, found {faces.split}")
    each = count // len(EMOTIONS)
    rng = np.random.default_rng(seed)
    chosen = []
    for label, emotion in enumerate(EMOTIONS):
        there = np.flatnonzero(faces.labels == label)
        if len(there) < each:
            raise DataError(f"expected {each} training faces of {emotion} to calibrate on, found {len(there)}")
        chosen.append(np.sort(rng.choice(there, each, replace=False)))
    return faces.take(np.concatenate(chosen))


def describe(faces: FaceSet, seed: int = SEED) -> dict[str, Any]:
    """What the card says of a calibration sample."""
    digest = hashlib.sha256(faces.images.tobytes()).hexdigest()
    each = {emotion: int((faces.labels == label).sum()) for label, emotion in enumerate(EMOTIONS)}
    return {"faces": len(faces), "per_class": each, "seed": seed, "sha256": digest}


def extremes(runs: Iterable[Mapping[str, npt.NDArray[Any]]]) -> Ranges:
    """The lowest and highest value of every tensor over all runs of a graph.

    Not smoothed from face to face, as AI Edge Quantizer's own calibration does: that cuts off the pixels below 13 and
    above 244, and cost 0.6 points of agreement. Nor percentiles or the least squared error: neither gained anything.
    """
    ranges: Ranges = {}
    for tensors in runs:
        for name, values in tensors.items():
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return ranges

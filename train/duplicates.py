"""Pictures that are in a data set twice: pixel for pixel, or nearly so (other brightness, compression, mirrored).

FER-2013 was gathered by image search: hundreds of its test faces are among its training faces too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.opencv import cv2
from edge.values import Floats, Image
from train.data import FaceSet, seen_in
from train.progress import Advance, nothing

SIDE = 16  # pixels to which faces are brought to be compared
ALIKE = 0.96  # correlation from which two are nearly the same picture: on FER-2013, below 0.94 other people come in
BLOCK = 1024  # faces compared with all others at once: 32,000 of them are 130 MB of float32


@dataclass(frozen=True)
class Pair:
    """Two faces of a set, by their positions. `correlation` is 1 for the same pixels."""

    first: int
    second: int
    correlation: float
    mirrored: bool = False

    @property
    def exact(self) -> bool:
        return self.correlation == 1.0


def exact(faces: FaceSet) -> list[Pair]:
    """Each face with the first one that has the same pixels."""
    first: dict[bytes, int] = {}
    pairs = []
    for i, digest in enumerate(faces.digests()):
        if first.setdefault(digest, i) != i:
            pairs.append(Pair(first[digest], i, 1.0))
    return pairs


def near(faces: FaceSet, advance: Advance = nothing) -> list[Pair]:
    """Pairs that look alike without being the same pixels, mirrored ones included; `advance` for each block."""
    prints = _prints(faces.images)
    sides = prints.reshape(-1, SIDE, SIDE)
    same = {(pair.first, pair.second) for pair in exact(faces)}
    found: dict[tuple[int, int], Pair] = {}
    for mirrored, others in ((False, prints), (True, np.ascontiguousarray(sides[:, :, ::-1]).reshape(len(prints), -1))):
        for pair in _alike(prints, others, mirrored, advance):
            key = (pair.first, pair.second)
            if key not in same and (key not in found or found[key].correlation < pair.correlation):
                found[key] = pair
    return sorted(found.values(), key=lambda pair: -pair.correlation)


def copied(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Which faces are in `other` too, exactly or nearly, mirrored or not; bool [n]."""
    prints, others = _prints(faces.images), _prints(other.images)
    mirrored = _prints(np.ascontiguousarray(faces.images[:, :, ::-1]))
    found = seen_in(faces, other)
    for start in range(0, len(others), BLOCK):
        block = others[start : start + BLOCK].T
        for kind in (prints, mirrored):
            found |= (kind @ block).max(axis=1) >= ALIKE
    return found


def without_copies(faces: FaceSet, others: Sequence[FaceSet]) -> FaceSet:
    """The faces that are in none of the others, exactly or nearly."""
    kept = ~np.any([copied(faces, other) for other in others], axis=0)
    return faces.take(np.flatnonzero(kept))


def blocks(count: int) -> int:
    """How often `near` calls its `advance` for so many faces."""
    return 2 * -(-count // BLOCK)


def _alike(prints: Floats, others: Floats, mirrored: bool, advance: Advance) -> Iterator[Pair]:
    for start in range(0, len(prints), BLOCK):
        correlations = prints[start : start + BLOCK] @ others[start:].T  # each pair once: the earlier face first
        for i, j in np.argwhere(correlations >= ALIKE):
            if j > i:
                yield Pair(int(start + i), int(start + j), min(float(correlations[i, j]), 1 - 1e-6), mirrored)
        advance()


def _prints(images: Image) -> Floats:
    """Each face as a unit vector of mean 0 [n, SIDE * SIDE]: products are correlations; 0 for a face of one grey."""
    small = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images])
    vectors = small.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1.0), dtype=np.float32)

"""Find duplicates in a data set: pixel for pixel, or nearly so (other brightness or compression, mirrored).

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
from train.progress import Advance, no_progress

SIDE = 16  # pixels; faces are compared at this size
THRESHOLD = 0.96  # correlation of near duplicates: on FER-2013, pairs below 0.94 begin to show different people
BLOCK = 1024  # faces compared with all others at once: with 32,000 others 130 MB of float32


@dataclass(frozen=True)
class Pair:
    """Hold the indices of two faces of a set, the lower one first. `correlation` is 1 for the same pixels."""

    first: int
    second: int
    correlation: float
    mirrored: bool = False

    @property
    def exact(self) -> bool:
        return self.correlation == 1.0


def exact_duplicates(faces: FaceSet) -> list[Pair]:
    """Return pairs of a face and the first one with the same pixels."""
    first: dict[bytes, int] = {}
    pairs = []
    for i, digest in enumerate(faces.digests()):
        if first.setdefault(digest, i) != i:
            pairs.append(Pair(first[digest], i, 1.0))
    return pairs


def near_duplicates(faces: FaceSet, advance: Advance = no_progress) -> list[Pair]:
    """Return pairs that look alike without the same pixels, mirrored ones included, the most alike first.

    `advance` is called `block_count` times.
    """
    vectors = _vectors(faces.images)
    mirrored_vectors = _vectors(_mirror(faces.images))
    exact = {(pair.first, pair.second) for pair in exact_duplicates(faces)}
    pairs: dict[tuple[int, int], Pair] = {}
    for mirrored, others in ((False, vectors), (True, mirrored_vectors)):
        for pair in _correlated(vectors, others, mirrored, advance):
            key = (pair.first, pair.second)
            if key not in exact and (key not in pairs or pairs[key].correlation < pair.correlation):
                pairs[key] = pair
    return sorted(pairs.values(), key=lambda pair: -pair.correlation)


def copied_from(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Return which faces are in `other` too, exactly or nearly, mirrored or not; bool [n]."""
    others = _vectors(other.images)
    copied = seen_in(faces, other)
    for vectors in (_vectors(faces.images), _vectors(_mirror(faces.images))):
        for start in range(0, len(others), BLOCK):
            copied |= (vectors @ others[start : start + BLOCK].T).max(axis=1) >= THRESHOLD
    return copied


def without_copies(faces: FaceSet, others: Sequence[FaceSet]) -> FaceSet:
    """Return the faces that are in none of the others, exactly or nearly."""
    kept = ~np.any([copied_from(faces, other) for other in others], axis=0)
    return faces.take(np.flatnonzero(kept))


def block_count(faces: int) -> int:
    """Return how often near_duplicates calls `advance` for this number of faces."""
    return 2 * -(-faces // BLOCK)


def _correlated(vectors: Floats, others: Floats, mirrored: bool, advance: Advance) -> Iterator[Pair]:
    for start in range(0, len(vectors), BLOCK):
        correlations = vectors[start : start + BLOCK] @ others[start:].T  # each pair once: the earlier face first
        for i, j in np.argwhere(correlations >= THRESHOLD):
            if j > i:
                yield Pair(int(start + i), int(start + j), min(float(correlations[i, j]), 1 - 1e-6), mirrored)
        advance()


def _mirror(images: Image) -> Image:
    return np.ascontiguousarray(images[:, :, ::-1])


def _vectors(images: Image) -> Floats:
    """Return faces as unit vectors of mean 0, [n, SIDE * SIDE], whose products are correlations; 0 for a flat face."""
    small = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images])
    vectors = small.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1.0), dtype=np.float32)

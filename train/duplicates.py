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
from train.store import Images

SIDE = 16  # pixels; faces are compared at this size
THRESHOLD = 0.96  # correlation of near duplicates: on FER-2013, pairs below 0.94 begin to show different people
BLOCK = 1024  # faces that are compared with LARGE_BLOCK others at once
LARGE_BLOCK = 8192  # as float32 vectors 8 MB, and their correlations with a block 34 MB


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
    _, indices, groups = np.unique(faces.digests(), return_index=True, return_inverse=True)
    first = indices[groups]
    return [Pair(int(first[i]), int(i), 1.0) for i in np.flatnonzero(first != np.arange(len(faces)))]


def near_duplicates(faces: FaceSet, advance: Advance = no_progress) -> list[Pair]:
    """Return pairs that look alike without the same pixels, mirrored ones included, the most alike first.

    `advance` is called `block_count` times.
    """
    exact = {(pair.first, pair.second) for pair in exact_duplicates(faces)}
    pairs: dict[tuple[int, int], Pair] = {}
    for mirrored in (False, True):
        for pair in _correlated(faces.images, mirrored, advance):
            key = (pair.first, pair.second)
            if key not in exact and (key not in pairs or pairs[key].correlation < pair.correlation):
                pairs[key] = pair
    return sorted(pairs.values(), key=lambda pair: (-pair.correlation, pair.mirrored, pair.first, pair.second))


def copied_from(faces: FaceSet, other: FaceSet) -> npt.NDArray[np.bool_]:
    """Return which faces are in `other` too, exactly or nearly, mirrored or not; bool [n]."""
    copied = seen_in(faces, other)
    for start, images in _blocks(faces.images, LARGE_BLOCK):
        own = copied[start : start + LARGE_BLOCK]  # a view
        vectors = [_vectors(images), _vectors(_mirror(images))]
        for _, others in _blocks(other.images, BLOCK):
            other_vectors = _vectors(others).T
            for either in vectors:
                own |= (either @ other_vectors).max(axis=1) >= THRESHOLD
    return copied


def copied_across(faces: FaceSet, folds: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which faces are nearly in another fold too, mirrored or not; bool [n]. Exact copies share a fold."""
    copied = np.zeros(len(faces), dtype=bool)
    for pair in near_duplicates(faces):
        if folds[pair.first] != folds[pair.second]:
            copied[[pair.first, pair.second]] = True
    return copied


def without_copies(faces: FaceSet, others: Sequence[FaceSet]) -> FaceSet:
    """Return the faces that are in none of the others, exactly or nearly."""
    kept = ~np.any([copied_from(faces, other) for other in others], axis=0)
    return faces.take(np.flatnonzero(kept))


def block_count(faces: int) -> int:
    """Return how often near_duplicates calls `advance` for this number of faces."""
    return 2 * -(-faces // LARGE_BLOCK)


def _correlated(images: Images, mirrored: bool, advance: Advance) -> Iterator[Pair]:
    """Yield each pair once, the earlier face first."""
    for start, block in _blocks(images, LARGE_BLOCK):
        vectors = _vectors(_mirror(block) if mirrored else block)
        for earlier, others in _blocks(images, BLOCK, start + len(block)):
            correlations = _vectors(others) @ vectors.T
            for i, j in np.argwhere(correlations >= THRESHOLD):
                if start + j > earlier + i:
                    correlation = min(float(correlations[i, j]), 1 - 1e-6)
                    yield Pair(int(earlier + i), int(start + j), correlation, mirrored)
        advance()


def _blocks(images: Images, size: int, end: int | None = None) -> Iterator[tuple[int, Image]]:
    """Yield the index of the first image of each block, and the block; of the images before `end`."""
    end = len(images) if end is None else end
    for start in range(0, end, size):
        yield start, images[start : min(end, start + size)]


def _mirror(images: Image) -> Image:
    return np.ascontiguousarray(images[:, :, ::-1])


def _vectors(images: Image) -> Floats:
    """Return faces as unit vectors of mean 0, [n, SIDE * SIDE], whose products are correlations; 0 for a flat face."""
    small = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in images])
    vectors = small.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1.0), dtype=np.float32)

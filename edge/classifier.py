"""Classify faces with a model file of any format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge.backends.base import Backend
from edge.opencv import cv2
from edge.preprocess import crop, to_input
from edge.values import Box, Face, Image, Probabilities

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class Classifier:
    """Classify the faces of a picture; a call allocates no memory that stays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.card = backend.card

    def read_face(self, face: Image, mirrored: bool = False) -> Probabilities:
        """Classify an aligned face such as a FER-2013 picture.

        `face` is uint8, [height, width] grey or [height, width, 3] BGR. Return float32 [labels].
        """
        pixels = to_input(face, self.card.input_size, self.card.face_size, self.card.colour)
        return self.backend.run(cv2.flip(pixels, 1) if mirrored else pixels)

    def read(self, image: Image, box: Box, mirrored: bool = False) -> Probabilities:
        """Classify the face inside `box` of a picture, or its mirror image; return float32 [labels]."""
        return self.read_face(crop(image, box, self.card.crop_margin), mirrored)

    def read_both_ways(self, image: Image, box: Box) -> Probabilities:
        """Return the mean of a face's probabilities and its mirror image's, float32 [labels].

        An expression and its mirror image are the same emotion: two readings of it err less than one.
        """
        return (self.read(image, box) + self.read(image, box, mirrored=True)) / np.float32(2)


class ClassifierPool:
    """Classify the faces of a frame on several cores: each worker has a classifier, and so an interpreter, of its own.

    Runtimes release Python's lock while they compute. The answers and their order are those of a single classifier,
    which reads everything, with all its threads, while there is one face or one worker.
    """

    def __init__(self, classifier: Classifier, workers: int) -> None:
        self._alone = classifier
        self._classifiers = [classifier] if classifier.backend.threads == 1 else []  # of one thread each
        self._workers = workers
        self._executor: ThreadPoolExecutor | None = None  # started for the first frame with several faces

    def map(self, classify: Callable[[Classifier, Face], Probabilities], faces: Sequence[Face]) -> list[Probabilities]:
        """Return `classify(classifier, face)` for each face."""
        count = min(self._workers, len(faces))
        if count < 2:
            return [classify(self._alone, face) for face in faces]
        self._open(count)
        assert self._executor is not None

        def read_share(worker: int) -> list[Probabilities]:
            return [classify(self._classifiers[worker], face) for face in faces[worker::count]]

        others = [self._executor.submit(read_share, worker) for worker in range(1, count)]
        try:
            own = read_share(0)  # this thread works too
        finally:
            for other in others:
                other.exception()  # wait: the next frame needs its classifier
        shares = [own, *(other.result() for other in others)]
        return [shares[i % count][i // count] for i in range(len(faces))]

    def _open(self, count: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # here: it takes time to import, and few runs need it

        self._executor = self._executor or ThreadPoolExecutor(self._workers - 1, thread_name_prefix="classifier")
        while len(self._classifiers) < count:
            self._classifiers.append(Classifier(self._alone.backend.another()))

"""Classify faces with a model file of any format."""

from __future__ import annotations

import numpy as np

from edge.backends.base import Backend
from edge.preprocess import crop, to_input
from edge.values import Box, Image, Probabilities


class Classifier:
    """Classify the faces of a picture; a call allocates no memory that stays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.card = backend.card

    def read_face(self, face: Image, mirrored: bool = False) -> Probabilities:
        """Classify an aligned face such as a FER-2013 picture.

        `face` is uint8, [height, width] grey or [height, width, 3] BGR. Return float32 [labels].
        """
        pixels = to_input(face, self.card.input_size, self.card.face_size)
        return self.backend.run(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels)

    def read(self, image: Image, box: Box, mirrored: bool = False) -> Probabilities:
        """Classify the face inside `box` of a picture, or its mirror image; return float32 [labels]."""
        return self.read_face(crop(image, box, self.card.crop_margin), mirrored)

    def read_both_ways(self, image: Image, box: Box) -> Probabilities:
        """Return the mean of a face's probabilities and its mirror image's, float32 [labels].

        An expression and its mirror image are the same emotion: two readings of it err less than one.
        """
        return (self.read(image, box) + self.read(image, box, mirrored=True)) / np.float32(2)

"""Classify faces with a model file of any format."""

from __future__ import annotations

from edge.backends.base import Backend
from edge.preprocess import crop, to_input
from edge.values import Box, Image, Probabilities


class Classifier:
    """Classify the faces of a picture; a call allocates no memory that stays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.card = backend.card

    def read_face(self, face: Image) -> Probabilities:
        """Classify an aligned face such as a FER-2013 picture.

        `face` is uint8, [height, width] grey or [height, width, 3] BGR. Return float32 [labels].
        """
        return self.backend.run(to_input(face, self.card.input_size, self.card.face_size))

    def read(self, image: Image, box: Box) -> Probabilities:
        """Classify the face inside `box` of a picture; return float32 [labels]."""
        return self.read_face(crop(image, box, self.card.crop_margin))

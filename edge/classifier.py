"""Classify faces with a model file of any format."""

from __future__ import annotations

from edge.backends.base import Backend
from edge.preprocess import crop, to_input
from edge.values import Box, Image, Probabilities


class Classifier:
    """Faces of a picture -> probabilities. Make it once; a call allocates nothing that stays."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.card = backend.card

    def read_face(self, face: Image) -> Probabilities:
        """An aligned face, grey or BGR, uint8, such as a FER-2013 picture -> float32 [7]."""
        return self.backend.run(to_input(face, self.card.input_size, self.card.face_size))

    def read(self, image: Image, box: Box) -> Probabilities:
        """The face inside `box` of a picture -> float32 [7]."""
        return self.read_face(crop(image, box, self.card.crop_margin))

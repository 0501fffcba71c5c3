"""Run a built-in face through a model, and compare the answer with the one in the model's card.

A runtime that is too old for a file, or whose kernels are wrong on this processor, may load the file and answer
something else: tflite-runtime 2.14 gave 25% in place of 72% for the files of earlier exports. The export computes the
card's answer with the format's reference kernels.

The face is stored as it enters the network, 48x48 grey, and enlarged by repeating pixels. No decoder or resizing, whose
results differ by a grey level from one version of OpenCV to the next, takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.backends.base import Backend
from edge.values import Image, Probabilities

FACE = Path(__file__).parent / "assets" / "face.pgm"
FACE_SIZE = 48  # pixels
# Largest difference of a probability. On 203 faces of PublicTest, right kernels differ by up to 0.086 (int8: XNNPACK's
# and LiteRT's plain ones; dynamic 0.032, floats 0.000002), the wrong ones of tflite-runtime 2.14 by at least 0.148.
TOLERANCE = 0.1


@dataclass(frozen=True)
class SelfCheck:
    """Hold the answer of a runtime to the built-in face, [labels], and the card's, which earlier exports lack."""

    runtime: str
    labels: tuple[str, ...]
    found: Probabilities
    expected: Probabilities | None

    @property
    def difference(self) -> float:
        """Return the largest difference of a probability or, without an expected answer, of the sum from 1."""
        difference = self.found.sum() - 1 if self.expected is None else np.abs(self.found - self.expected).max()
        return abs(float(difference))

    @property
    def passed(self) -> bool:
        """Return whether the runtime computes this model right; NaN is not."""
        return self.difference <= TOLERANCE

    def __str__(self) -> str:
        if self.expected is None:
            return f"{self.runtime} answers probabilities with the sum {self.found.sum():.2f} to the built-in face"
        best = int(self.expected.argmax())
        return (
            f"{self.runtime} answers {self.labels[best]} {self.found[best]:.1%} to the built-in face, "
            f"expected {self.expected[best]:.1%}; the largest difference is {self.difference:.3f}"
        )


def self_check(backend: Backend) -> SelfCheck:
    """Run the built-in face through a model; takes one inference."""
    card = backend.card
    expected = np.array(card.face_probabilities, np.float32) if card.face_probabilities else None
    return SelfCheck(backend.name, card.labels, backend.run(face_input(card.input_size)), expected)


def face_input(size: int) -> Image:
    """Return the built-in face as a network's input, uint8 [size, size, 3]."""
    face = np.fromfile(FACE, np.uint8)[-(FACE_SIZE**2) :].reshape(FACE_SIZE, FACE_SIZE)
    indices = np.arange(size) * FACE_SIZE // size
    return np.repeat(face[indices[:, None], indices, None], 3, axis=2)

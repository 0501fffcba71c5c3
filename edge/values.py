"""Define the values that the loop passes on: immutable, validated at construction, with units in their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]  # [height, width] grey or [height, width, 3] BGR, 0..255
Floats: TypeAlias = npt.NDArray[np.float32]  # the shape is given where it is used
Probabilities: TypeAlias = npt.NDArray[np.float32]  # [7] in the order of the model's labels, sum 1


@dataclass(frozen=True)
class Box:
    """Locate a rectangle in pixels of the full frame; x and y are its left and top edge."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"expected a box with a positive width and height, found {self.width}x{self.height}")

    @property
    def centre(self) -> tuple[float, float]:
        """Return x and y of the centre in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def moved(self, right: int, down: int) -> Box:
        """Return the box shifted by so many pixels."""
        return Box(self.x + right, self.y + down, self.width, self.height)

    def iou(self, other: Box) -> float:
        """Return the intersection over union with another box, 0..1."""
        overlap_x = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        overlap_y = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if overlap_x <= 0 or overlap_y <= 0:
            return 0.0
        overlap = overlap_x * overlap_y
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True)
class Frame:
    """Hold one picture of a source. `time_s` is its time in the source, `captured_s` when it was read (monotonic)."""

    index: int
    time_s: float
    captured_s: float
    image: Image
    name: str | None = None  # the file's name, for sources of independent pictures
    error: str | None = None  # why the camera gives no pictures now; `image` is then the last one, not a live one


@dataclass(frozen=True)
class Face:
    """Locate a detected face. `score` is the confidence of the detector, 0..1; 1 if it gives none."""

    box: Box
    score: float = 1.0


class EmotionProbabilities(dict[str, float]):
    """Map each emotion to its probability, in the order of the model's labels; print two decimals."""

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{emotion!r}: {value:.2f}' for emotion, value in self.items())}}}"


@dataclass(frozen=True)
class Reading:
    """Hold the emotion read from one face in one frame."""

    id: int  # of the face: the same from frame to frame; in a single picture, its rank by size, from 1
    face: Face
    probabilities: EmotionProbabilities
    label: str | None = None  # the smoothed label (see edge.smoother); if None, the most probable emotion
    calibrated: bool = False  # corrected by the person's neutral face (see edge.neutral)

    @property
    def emotion(self) -> str:
        """Return one of the emotions, or `uncertain`."""
        return self.label or max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Return the probability of that emotion; for `uncertain`, of the most probable one."""
        return self.probabilities.get(self.emotion, max(self.probabilities.values()))

    def __str__(self) -> str:
        box = self.face.box
        return f"{self.emotion} {self.confidence:.0%} at {box.x},{box.y} {box.width}x{box.height}"

    def __repr__(self) -> str:
        return f"<Reading {self.id}: {self}>"

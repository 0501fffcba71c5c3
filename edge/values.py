"""The values that pass through the loop: frozen, validated where they are made, units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]  # [height, width] grey or [height, width, 3] BGR, 0..255
Floats: TypeAlias = npt.NDArray[np.float32]  # of a shape that is said where it is used
Probabilities: TypeAlias = npt.NDArray[np.float32]  # [7] in the order of the model's labels, sum 1


UNCERTAIN = "uncertain"  # shown in place of an emotion where no one is probable enough


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the full frame; x and y are its left and top edge."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a box needs a positive width and height, found {self.width}x{self.height}")

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def moved(self, right: int, down: int) -> Box:
        return Box(self.x + right, self.y + down, self.width, self.height)

    def iou(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        overlap_x = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        overlap_y = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if overlap_x <= 0 or overlap_y <= 0:
            return 0.0
        overlap = overlap_x * overlap_y
        return overlap / (self.width * self.height + other.width * other.height - overlap)


@dataclass(frozen=True)
class Frame:
    """One picture of a source. `time_s` is its time in the source; `captured_s` is when it was read (monotonic)."""

    index: int
    time_s: float
    captured_s: float
    image: Image
    name: str | None = None  # the file's name, for sources of independent pictures
    error: str | None = None  # why the camera gives no pictures now; `image` is the last one, and nothing live


@dataclass(frozen=True)
class Face:
    """Where a detector sees a face, and how sure it is (0..1; 1 where the detector does not say)."""

    box: Box
    score: float = 1.0


@dataclass(frozen=True)
class Reading:
    """What one face of one frame says."""

    id: int
    face: Face
    labels: tuple[str, ...]
    probabilities: Probabilities
    shown: str | None = None  # the name to show, where it is not just the most probable one; see edge.smoother

    @property
    def emotion(self) -> str:
        """One of the labels, or `uncertain`."""
        return self.shown or self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """The probability of that emotion; where it is uncertain, of the most probable one."""
        if self.shown in self.labels:
            return float(self.probabilities[self.labels.index(self.shown)])
        return float(self.probabilities.max())

    def __str__(self) -> str:
        box = self.face.box
        return f"{self.emotion} {self.confidence:.0%} at {box.x},{box.y} {box.width}x{box.height}"

"""Show a demo without a camera: pan and zoom over a public-domain photograph with a face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.opencv import cv2
from edge.picture import read_picture
from edge.sources.base import Source
from edge.values import Image

PHOTOGRAPH = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
WIDTH, HEIGHT = 640, 480
FACE_CENTRE = (224.0, 120.0)  # x, y in pixels of the photograph
DEMO_FRAMES = 300  # 10 s


class Demo(Source):
    """Show the demo, once or, while somebody watches it, in an endless loop."""

    endless = False

    def __init__(self, text: str = "demo") -> None:
        super().__init__(text)

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text asks for the demo."""
        return text == "demo"

    def images(self) -> Iterator[tuple[Image, str | None]]:
        """Yield the pictures, uint8 [480, 640, 3] BGR."""
        while True:
            yield from ((image, None) for image in demo_images(DEMO_FRAMES))
            if not self.endless:
                return


def demo_images(count: int) -> Iterator[Image]:
    """Yield `count` pictures, uint8 [480, 640, 3] BGR: the same ones each time, the last close to the first.

    Raises SourceError if the photograph is missing.
    """
    photograph = read_picture(PHOTOGRAPH)
    for i in range(count):
        angle = 2 * math.pi * i / count
        zoom = 1.85 + 0.55 * math.sin(angle)  # output pixels a photograph pixel
        x = _clamp(FACE_CENTRE[0] + 70 * math.sin(2 * angle), WIDTH / 2 / zoom, photograph.shape[1])
        y = _clamp(FACE_CENTRE[1] + 40 * math.cos(angle), HEIGHT / 2 / zoom, photograph.shape[0])
        transform = np.array([[zoom, 0, WIDTH / 2 - zoom * x], [0, zoom, HEIGHT / 2 - zoom * y]], dtype=np.float64)
        yield cv2.warpAffine(photograph, transform, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)


def _clamp(centre: float, half: float, size: int) -> float:
    """Return the centre moved so that the view, `half` to either side of it, lies inside the photograph."""
    return min(max(centre, half), size - half)

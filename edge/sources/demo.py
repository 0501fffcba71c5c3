"""The demo source's pictures: a camera that pans and zooms over a public-domain photograph with a face."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.errors import SourceError
from edge.opencv import cv2
from edge.values import Image

PHOTOGRAPH = Path(__file__).resolve().parents[1] / "assets" / "astronaut.jpg"
WIDTH, HEIGHT = 640, 480
FACE_CENTRE = (224.0, 120.0)  # pixels in the photograph


def demo_images(count: int) -> Iterator[Image]:
    """`count` pictures, uint8 [480, 640, 3] BGR, the same each time; the last leads on to the first."""
    photograph = cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_COLOR)
    if photograph is None:
        raise SourceError(f"the demo's photograph {PHOTOGRAPH} is missing or damaged; install again")
    for i in range(count):
        turn = 2 * math.pi * i / count
        zoom = 1.85 + 0.55 * math.sin(turn)  # output pixels a photograph pixel
        x = _inside(FACE_CENTRE[0] + 70 * math.sin(2 * turn), WIDTH / 2 / zoom, photograph.shape[1])
        y = _inside(FACE_CENTRE[1] + 40 * math.cos(turn), HEIGHT / 2 / zoom, photograph.shape[0])
        move = np.array([[zoom, 0, WIDTH / 2 - zoom * x], [0, zoom, HEIGHT / 2 - zoom * y]], dtype=np.float64)
        yield cv2.warpAffine(photograph, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)


def _inside(centre: float, half: float, side: int) -> float:
    """Keep the view, `half` to either side of its centre, inside the photograph."""
    return min(max(centre, half), side - half)

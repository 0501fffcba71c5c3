"""Render text that is legible at every size, on filled tags.

OpenCV's strokes are whole pixels wide: too thin or smeared at most sizes. Here a text is drawn four times as large,
with strokes in proportion, and reduced. Rendered words are kept, since the same ones come with every frame.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from edge.opencv import cv2
from edge.values import Image

Colour: TypeAlias = tuple[int, int, int]  # BGR
WHITE: Colour = (255, 255, 255)
DARK: Colour = (24, 22, 20)
FONT = 0  # cv2.FONT_HERSHEY_SIMPLEX; OpenCV is imported at its first use
CAPITAL = 21.0  # height of a capital letter in pixels at scale 1
OVERSAMPLING = 4
STROKE = 0.14  # width of a stroke, as a share of the height of a capital


class Tag(NamedTuple):
    """Describe words on a filled ground; `height` is that of a capital in pixels."""

    words: tuple[str, ...]
    height: int
    colour: Colour  # of the ground

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and height of the ground in pixels."""
        return _measure(self)

    def draw(self, drawn: Image, left: int, top: int) -> None:
        """Draw it into a picture, uint8 [height, width, 3] BGR; what lies outside is cut off at the right and below."""
        image = _render_tag(self)
        target = drawn[top : top + image.shape[0], left : left + image.shape[1]]
        target[:] = image[: target.shape[0], : target.shape[1]]


@lru_cache(maxsize=1024)
def _measure(tag: Tag) -> tuple[int, int]:
    gap = tag.height // 2
    return sum([render(word, tag.height).shape[1] + gap for word in tag.words], gap), 2 * tag.height


@lru_cache(maxsize=512)
def _render_tag(tag: Tag) -> Image:
    """Return a tag, uint8 [height, width, 3] BGR."""
    width, height = tag.size
    image = np.empty((height, width, 3), dtype=np.uint8)
    cv2.rectangle(image, (0, 0), (width, height), tag.colour, cv2.FILLED)
    left = tag.height // 2
    for word in tag.words:
        ink = _colour_in(word, tag.height, tag.colour)
        image[:, left : left + ink.shape[1]] = ink
        left += ink.shape[1] + tag.height // 2
    return image


@lru_cache(maxsize=1024)
def _colour_in(text: str, height: int, ground: Colour) -> Image:
    """Return a text on its ground, uint8 [2 * height, width, 3]; it is dark on light grounds."""
    luminance = 0.114 * ground[0] + 0.587 * ground[1] + 0.299 * ground[2]
    ink = np.array(DARK if luminance > 115 else WHITE)
    share = render(text, height)[:, :, None] / 255
    return (ground + (ink - ground) * share).round().astype(np.uint8)


@lru_cache(maxsize=1024)
def render(text: str, height: int) -> Image:
    """Return a text as a mask, uint8 [2 * height, width], 255 where the ink is. `height` is that of a capital."""
    scale = OVERSAMPLING * height / CAPITAL
    thickness = max(1, round(STROKE * OVERSAMPLING * height))
    (advance, _), _ = cv2.getTextSize(text, FONT, scale, thickness)
    width = (advance + thickness) // OVERSAMPLING
    canvas = np.zeros((OVERSAMPLING * 2 * height, OVERSAMPLING * width), dtype=np.uint8)
    baseline = OVERSAMPLING * height * 3 // 2
    cv2.putText(canvas, text, (thickness // 2, baseline), FONT, scale, 255, thickness, cv2.LINE_AA)
    mask: Image = cv2.resize(canvas, (width, 2 * height), interpolation=cv2.INTER_AREA)
    return mask

"""Draw readings into pictures: the box, the emotion with its confidence, and a bar for each probability.

This runs on every frame, so it is fast: plain text on a filled tag costs a tenth of outlined text, and the names of the
emotions next to the bars are rendered once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from edge.opencv import cv2
from edge.values import Box, Image, Reading

COLOURS = {  # BGR
    "angry": (60, 60, 235),
    "disgust": (60, 160, 90),
    "fear": (190, 90, 160),
    "happy": (60, 200, 250),
    "neutral": (190, 190, 190),
    "sad": (230, 150, 70),
    "surprise": (80, 140, 255),
}
WHITE = (255, 255, 255)
DARK = (20, 20, 20)
RED = (60, 60, 235)
FONT = 0  # cv2.FONT_HERSHEY_SIMPLEX; OpenCV is imported at its first use


def annotate(image: Image, readings: Sequence[Reading], fps: float = 0.0, notice: str = "") -> Image:
    """Return a copy of a picture with the readings drawn in.

    `image` is uint8 [height, width, 3] BGR. `fps` is shown in the corner if it is above 0, `notice` at the bottom.
    """
    drawn = image.copy()
    unit = _unit(drawn)
    for reading in readings:
        _draw_face(drawn, reading, unit)
    if fps > 0:
        _tag(drawn, f"{fps:.0f} FPS", 0, round(20 * unit), 0.9 * unit, DARK)
    if notice:
        width, _ = _size(notice, 1.6 * unit)
        _tag(drawn, notice, (drawn.shape[1] - width) // 2, drawn.shape[0], 1.6 * unit, DARK)
    return drawn


def annotate_error(image: Image, error: str) -> Image:
    """Return a dimmed copy of a lost camera's last picture, with the error in a banner."""
    drawn = cv2.convertScaleAbs(image, alpha=0.35)
    unit = _unit(drawn)
    height, width = drawn.shape[:2]
    scale = min(1.1 * unit, 0.92 * width / _size(error, 1.0)[0])  # at most as wide as the picture
    half = round(16 * scale)
    cv2.rectangle(drawn, (0, height // 2 - half), (width, height // 2 + half), RED, cv2.FILLED)
    _text(drawn, error, round(0.04 * width), height // 2 + round(6 * scale), scale, WHITE)
    return drawn


def _unit(image: Image) -> float:
    """Return the scale of everything that is drawn: 1 on a 640x480 picture."""
    return max(0.4, min(image.shape[:2]) / 480)


def _draw_face(drawn: Image, reading: Reading, unit: float) -> None:
    """Draw the box, the tag above it (below it at the picture's edge) and, for faces that are not small, the bars."""
    box = reading.face.box
    colour = COLOURS.get(reading.emotion, WHITE)
    cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width, box.y + box.height), colour, max(1, round(2 * unit)))
    tag_height = round(22 * unit)
    bottom = box.y if box.y >= tag_height else box.y + box.height + tag_height
    _tag(drawn, f"{reading.emotion} {reading.confidence:.0%}", box.x - 1, bottom, 1.1 * unit, colour)
    if box.width >= 60 * unit:
        _draw_bars(drawn, reading, box, unit)


def _draw_bars(drawn: Image, reading: Reading, box: Box, unit: float) -> None:
    """Draw a bar for each emotion to the right of the box, or to its left at the picture's edge."""
    names = _names(tuple(reading.probabilities), unit)
    height, width = names.shape[:2]
    gap = round(8 * unit)
    left = box.x + box.width + gap
    if left + width > drawn.shape[1]:
        left = box.x - width - gap
    top = min(max(0, box.y), drawn.shape[0] - height)
    if left < 0 or top < 0:
        return
    panel = drawn[top : top + height, left : left + width]
    panel[:] = cv2.add(cv2.convertScaleAbs(panel, alpha=0.45), names)
    row_height = height // len(reading.probabilities)
    start = round(60 * unit)
    bar_length = round(46 * unit)
    for i, (emotion, probability) in enumerate(reading.probabilities.items()):
        top = i * row_height + 3
        end = start + max(1, round(bar_length * probability))
        bottom = (i + 1) * row_height - 4
        cv2.rectangle(panel, (start, top), (end, bottom), COLOURS.get(emotion, WHITE), cv2.FILLED)


@lru_cache(maxsize=8)
def _names(labels: tuple[str, ...], unit: float) -> Image:
    """Render the panel of the bars with the names of the emotions only, white on black."""
    row_height = round(15 * unit)
    panel = np.zeros((row_height * len(labels), round(110 * unit), 3), dtype=np.uint8)
    for i, label in enumerate(labels):
        baseline = (i + 1) * row_height - round(4 * unit)
        cv2.putText(panel, label, (3, baseline), FONT, 0.36 * unit, WHITE, max(1, round(unit)), cv2.LINE_AA)
    return panel


def _tag(drawn: Image, text: str, x: int, bottom: int, unit: float, colour: tuple[int, int, int]) -> None:
    """Draw text on a filled tag, legible on any background, kept inside the picture."""
    width, height = _size(text, unit)
    pad = round(4 * unit)
    x = max(0, min(x, drawn.shape[1] - width - 2 * pad))
    bottom = max(height + 2 * pad, min(bottom, drawn.shape[0]))
    cv2.rectangle(drawn, (x, bottom - height - 2 * pad), (x + width + 2 * pad, bottom), colour, cv2.FILLED)
    luminance = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    _text(drawn, text, x + pad, bottom - pad, unit, DARK if luminance > 115 else WHITE)


def _text(drawn: Image, text: str, x: int, y: int, unit: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(drawn, text, (x, y), FONT, 0.5 * unit, colour, max(1, round(1.2 * unit)), cv2.LINE_AA)


def _size(text: str, unit: float) -> tuple[int, int]:
    """Return the width and height of a text in pixels."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.5 * unit, max(1, round(1.2 * unit)))
    return width, height

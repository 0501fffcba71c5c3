"""What a person sees of a reading: the box, the emotion and its confidence, a bar for each probability.

It is drawn on every frame, so it is quick: one stroke of text on a filled tag costs a tenth of text with a thick rim,
and the emotions' names beside the bars are rendered once.
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
FALLBACK = (255, 255, 255)
DARK = (20, 20, 20)
ALARM = (60, 60, 235)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: Image, readings: Sequence[Reading], fps: float = 0.0) -> Image:
    """A copy of a BGR picture with its readings drawn in; FPS in the corner where above 0."""
    drawn = image.copy()
    unit = _unit(drawn)
    for reading in readings:
        _draw_face(drawn, reading, unit)
    if fps > 0:
        _tag(drawn, f"{fps:.0f} FPS", 0, round(20 * unit), 0.9 * unit, DARK)
    return drawn


def lost(image: Image, error: str) -> Image:
    """A dimmed copy of the last picture of a camera that gives no more, with a banner that says so."""
    drawn = cv2.convertScaleAbs(image, alpha=0.35)
    unit, (height, width) = _unit(drawn), drawn.shape[:2]
    scale = min(1.1 * unit, 0.92 * width / _size(error, 1.0)[0])  # as wide as the picture at most
    half = round(16 * scale)
    cv2.rectangle(drawn, (0, height // 2 - half), (width, height // 2 + half), ALARM, cv2.FILLED)
    _text(drawn, error, round(0.04 * width), height // 2 + round(6 * scale), scale, FALLBACK)
    return drawn


def _unit(image: Image) -> float:
    """The scale of all that is drawn: 1 on a 640x480 picture."""
    return max(0.4, min(image.shape[:2]) / 480)


def _draw_face(drawn: Image, reading: Reading, unit: float) -> None:
    box = reading.face.box
    colour = COLOURS.get(reading.emotion, FALLBACK)
    cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width, box.y + box.height), colour, max(1, round(2 * unit)))
    bottom = box.y
    if bottom < round(22 * unit):  # no room above
        bottom = box.y + box.height + round(22 * unit)
    _tag(drawn, f"{reading.emotion} {reading.confidence:.0%}", box.x - 1, bottom, 1.1 * unit, colour)
    if box.width >= 60 * unit:
        _draw_bars(drawn, reading, box, unit)


def _draw_bars(drawn: Image, reading: Reading, box: Box, unit: float) -> None:
    """A bar for each emotion, to the right of the box, or to its left at the picture's edge."""
    names = _names(reading.labels, unit)
    height, width = names.shape[:2]
    left = box.x + box.width + round(8 * unit)
    if left + width > drawn.shape[1]:
        left = box.x - width - round(8 * unit)
    top = min(max(0, box.y), drawn.shape[0] - height)
    if left < 0 or top < 0:
        return
    panel = drawn[top : top + height, left : left + width]
    panel[:] = cv2.add(cv2.convertScaleAbs(panel, alpha=0.45), names)
    row, start, reach = height // len(reading.labels), round(60 * unit), round(46 * unit)
    for i, (name, value) in enumerate(zip(reading.labels, reading.probabilities.tolist(), strict=True)):
        end = start + max(1, round(reach * value))
        cv2.rectangle(panel, (start, i * row + 3), (end, (i + 1) * row - 4), COLOURS.get(name, FALLBACK), cv2.FILLED)


@lru_cache(maxsize=8)
def _names(labels: tuple[str, ...], unit: float) -> Image:
    """The panel of the bars with the emotions' names alone, white on black."""
    row = round(15 * unit)
    panel = np.zeros((row * len(labels), round(110 * unit), 3), dtype=np.uint8)
    for i, name in enumerate(labels):
        at = (3, (i + 1) * row - round(4 * unit))
        cv2.putText(panel, name, at, FONT, 0.36 * unit, FALLBACK, max(1, round(unit)), cv2.LINE_AA)
    return panel


def _tag(drawn: Image, text: str, x: int, bottom: int, unit: float, colour: tuple[int, int, int]) -> None:
    """Text on a filled tag that is legible on any background, kept inside the picture."""
    (width, height), pad = _size(text, unit), round(4 * unit)
    x = max(0, min(x, drawn.shape[1] - width - 2 * pad))
    bottom = max(height + 2 * pad, min(bottom, drawn.shape[0]))
    cv2.rectangle(drawn, (x, bottom - height - 2 * pad), (x + width + 2 * pad, bottom), colour, cv2.FILLED)
    luminance = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    _text(drawn, text, x + pad, bottom - pad, unit, DARK if luminance > 115 else FALLBACK)


def _text(drawn: Image, text: str, x: int, y: int, unit: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(drawn, text, (x, y), FONT, 0.5 * unit, colour, max(1, round(1.2 * unit)), cv2.LINE_AA)


def _size(text: str, unit: float) -> tuple[int, int]:
    """Width and height of a text's letters in pixels."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.5 * unit, max(1, round(1.2 * unit)))
    return width, height

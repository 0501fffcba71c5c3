"""What a person sees of a reading: the box, the emotion and its confidence, a bar for each probability."""

from __future__ import annotations

from collections.abc import Sequence

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
FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: Image, readings: Sequence[Reading], fps: float = 0.0) -> Image:
    """A copy of a BGR picture with its readings drawn in; FPS in the corner where above 0."""
    drawn = image.copy()
    unit = max(0.4, min(drawn.shape[:2]) / 480)  # 1 on a 640x480 picture
    for reading in readings:
        _draw_face(drawn, reading, unit)
    if fps > 0:
        _text(drawn, f"{fps:.0f} FPS", round(8 * unit), round(22 * unit), unit, FALLBACK)
    return drawn


def _draw_face(drawn: Image, reading: Reading, unit: float) -> None:
    box = reading.face.box
    colour = COLOURS.get(reading.emotion, FALLBACK)
    cv2.rectangle(drawn, (box.x, box.y), (box.x + box.width, box.y + box.height), colour, max(1, round(2 * unit)))
    label = f"{reading.emotion} {reading.confidence:.0%}"
    baseline = box.y - round(8 * unit)
    if baseline < round(20 * unit):  # no room above
        baseline = box.y + box.height + round(22 * unit)
    _text(drawn, label, box.x, baseline, 1.2 * unit, colour)
    if box.width >= 60 * unit:
        _draw_bars(drawn, reading, box, unit)


def _draw_bars(drawn: Image, reading: Reading, box: Box, unit: float) -> None:
    """A bar for each emotion, to the right of the box, or to its left at the picture's edge."""
    row, width = round(15 * unit), round(110 * unit)
    left = box.x + box.width + round(8 * unit)
    if left + width > drawn.shape[1]:
        left = box.x - width - round(8 * unit)
    top = min(max(0, box.y), drawn.shape[0] - row * len(reading.labels))
    if left < 0 or top < 0:
        return
    panel = drawn[top : top + row * len(reading.labels), left : left + width]
    panel[:] = (panel * 0.45).astype(np.uint8)
    for i, (name, value) in enumerate(zip(reading.labels, reading.probabilities, strict=True)):
        y = top + i * row
        start, reach = left + round(58 * unit), round(48 * unit)
        cv2.putText(drawn, name, (left + 3, y + row - round(4 * unit)), FONT, 0.36 * unit, FALLBACK, 1, cv2.LINE_AA)
        end = start + max(1, round(reach * float(value)))
        cv2.rectangle(drawn, (start, y + 3), (end, y + row - 4), COLOURS.get(name, FALLBACK), cv2.FILLED)


def _text(drawn: Image, text: str, x: int, y: int, unit: float, colour: tuple[int, int, int]) -> None:
    """Text with a dark rim, legible on any background, kept inside the picture."""
    scale, thick = 0.55 * unit, max(1, round(1.4 * unit))
    (width, height), _ = cv2.getTextSize(text, FONT, scale, thick)
    at = (max(0, min(x, drawn.shape[1] - width)), max(height, min(y, drawn.shape[0] - 4)))
    cv2.putText(drawn, text, at, FONT, scale, (0, 0, 0), thick + 3, cv2.LINE_AA)
    cv2.putText(drawn, text, at, FONT, scale, colour, thick, cv2.LINE_AA)

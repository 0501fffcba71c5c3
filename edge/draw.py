"""Draw readings into pictures: boxes, tags with id, emotion and confidence, and a bar for each probability.

This runs on every frame, so it is fast: rendered words and panels are kept. Where things go is decided in edge.layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from edge.layout import Area, Size, Wanted, arrange, free_corner
from edge.opencv import cv2
from edge.text import DARK, WHITE, Colour, Tag, render
from edge.values import Box, Image, Reading

COLOURS: dict[str, Colour] = {  # BGR
    "angry": (60, 60, 235),
    "disgust": (60, 160, 90),
    "fear": (190, 90, 160),
    "happy": (60, 200, 250),
    "neutral": (190, 190, 190),
    "sad": (230, 150, 70),
    "surprise": (80, 140, 255),
}
RED = (60, 60, 235)
ROW = 2  # height of a panel's row, as a multiple of its text
BAR = 6  # length of a full bar, likewise
GROUND = 48  # of a panel: nothing behind it is lighter
TRACK = 96  # of a bar
CROWD = 8  # more faces than this are one
MAX_TAG = 1.6  # width of a tag with the confidence, as a multiple of the face's
MAX_PANEL = 1.3  # height of a panel, likewise; the largest face gets the smallest panel in any case


class Style(NamedTuple):
    """Hold what may be drawn for a face, the best first; text is measured by the height of a capital, in pixels."""

    colour: Colour
    line: int  # width of the box's line
    rim: int  # width of the dark line around it
    tags: Sequence[tuple[Tag, Size]]
    panels: Sequence[int]  # text heights


def annotate(image: Image, readings: Sequence[Reading], fps: float = 0.0, notice: str = "") -> Image:
    """Return a copy of a picture with the readings drawn in.

    `image` is uint8 [height, width, 3] BGR. `fps` is shown in a corner if it is above 0, `notice` at the bottom.
    """
    drawn = image.copy()
    largest = max(readings, key=lambda reading: reading.face.box.width, default=None)
    is_crowd = len(readings) > CROWD
    styles = [_style(reading, _unit(drawn), reading is largest, is_crowd) for reading in readings]
    faces = list(zip(readings, styles, strict=True))
    wanted = [_wanted(reading, style) for reading, style in faces]
    notes = _place_notes(drawn, fps, notice, [face.box for face in wanted])
    taken = [(x, y, x + note.size[0], y + note.size[1]) for note, x, y in notes]
    places = arrange((drawn.shape[1], drawn.shape[0]), wanted, taken)
    for reading, style in faces:
        _draw_box(drawn, reading.face.box, style)
    for (reading, style), place in zip(faces, places, strict=True):
        if place.bars:
            index, x, y = place.bars
            _draw_bars(drawn, reading, style.panels[index], x, y)
    for style, place in zip(styles, places, strict=True):
        if place.tag:
            index, x, y = place.tag
            style.tags[index][0].draw(drawn, x, y)
    for note, x, y in notes:
        note.draw(drawn, x, y)
    return drawn


def annotate_error(image: Image, error: str) -> Image:
    """Return a dimmed copy of a lost camera's last picture, with the error in a banner."""
    drawn = cv2.convertScaleAbs(image, alpha=0.35)
    height, width = drawn.shape[:2]
    sizes = range(round(13 * _unit(drawn)), 0, -1)
    text = next((tag for size in sizes if (tag := Tag((error,), size, RED)).size[0] <= width), Tag((error,), 1, RED))
    top = max(0, (height - text.size[1]) // 2)
    drawn[top : top + text.size[1]] = RED
    text.draw(drawn, max(0, (width - text.size[0]) // 2), top)
    return drawn


def _unit(image: Image) -> float:
    """Return the scale of everything that is drawn: 1 on a 640x480 picture."""
    return max(0.7, min(image.shape[:2]) / 480)


def _place_notes(image: Image, fps: float, notice: str, faces: Sequence[Area]) -> list[tuple[Tag, int, int]]:
    """Return the rate for a corner without a face and the notice for the bottom, each with its left and top."""
    height, width = image.shape[:2]
    notes = []
    if notice:
        note = Tag((notice,), round(16 * _unit(image)), DARK)
        notes.append((note, max(0, (width - note.size[0]) // 2), max(0, height - note.size[1])))
    if fps > 0:
        note = Tag((f"{fps:.0f} FPS",), round(9 * _unit(image)), DARK)
        notes.append((note, *free_corner((width, height), note.size, faces)))
    return notes


def _style(reading: Reading, unit: float, is_largest: bool, is_crowd: bool) -> Style:
    """Return sizes that suit both the picture and the face; in a crowd, only the largest face has bars."""
    box, emotion = reading.face.box, reading.emotion
    smallest, largest = round(max(8, 5 * unit)), round(max(9, 11.5 * unit))
    size = min(max(smallest, box.width // 10), largest)
    tags = _tags(reading.id, emotion, f"{reading.confidence:.0%}", size, smallest)
    fitting = tags if tags[0][1][0] <= MAX_TAG * box.width else tags[1:]
    smallest -= 1  # in panels
    size = min(int(MAX_PANEL * box.height / ROW / (len(reading.probabilities) + 0.5)), round(0.72 * largest))
    has_panel = is_largest or (size >= smallest and not is_crowd)
    panels = sorted({max(size, smallest), smallest}, reverse=True) if has_panel else []
    line = max(1, round(min(2.6 * unit, box.width / 32)))
    return Style(COLOURS.get(emotion, WHITE), line, max(1, line // 2), fitting, panels)


@lru_cache(maxsize=1024)
def _tags(id_: int, emotion: str, confidence: str, size: int, smallest: int) -> Sequence[tuple[Tag, Size]]:
    """Return the tags of a face with their sizes: the second and the following ones leave out the confidence."""
    names, colour = (str(id_), emotion), COLOURS.get(emotion, WHITE)
    wordings = ((*names, confidence), size), (names, size), (names, smallest), (names[:1], smallest)
    tags = [Tag(words, height, colour) for words, height in wordings]
    return [(tag, tag.size) for tag in dict.fromkeys(tags)]


def _wanted(reading: Reading, style: Style) -> Wanted:
    """Return what the layout is to place; the box is taken with its line."""
    box = reading.face.box
    edge = style.line // 2 + style.rim
    area = (box.x - edge, box.y - edge, box.x + box.width + edge + 1, box.y + box.height + edge + 1)
    labels = tuple(reading.probabilities)
    panels = [_names(labels, size).shape for size in style.panels]
    return Wanted(area, [size for _, size in style.tags], [(width, height) for height, width, _ in panels])


def _draw_box(drawn: Image, box: Box, style: Style) -> None:
    """Draw a line in the emotion's colour with a dark one around it: one of them is visible on any ground.

    They are made of lines of one pixel, since OpenCV needs ten times as long for a thick one.
    """
    outer = style.line // 2 + style.rim
    for i in range(style.rim + style.line):
        edge = outer - i
        corners = (box.x - edge, box.y - edge), (box.x + box.width + edge, box.y + box.height + edge)
        cv2.rectangle(drawn, *corners, DARK if i < style.rim else style.colour)


def _draw_bars(drawn: Image, reading: Reading, size: int, left: int, top: int) -> None:
    """Draw a dark panel with a bar for each emotion beside its name."""
    names = _names(tuple(reading.probabilities), size)
    panel = drawn[top : top + names.shape[0], left : left + names.shape[1]]
    cv2.min(panel, _ground(names.shape), panel)
    cv2.max(panel, names, panel)
    start = panel.shape[1] - size - BAR * size
    for i, (emotion, probability) in enumerate(reading.probabilities.items()):
        top, length = (1 + ROW * i) * size, round(BAR * size * probability)
        if length > 0:
            cv2.rectangle(
                panel, (start, top), (start + length - 1, top + size - 1), COLOURS.get(emotion, WHITE), cv2.FILLED
            )


@lru_cache(maxsize=32)
def _names(labels: tuple[str, ...], size: int) -> Image:
    """Render the names of the emotions and the tracks of their bars on black."""
    texts = [render(label, size) for label in labels]
    width = max(text.shape[1] for text in texts)
    panel = np.zeros((ROW * size * len(labels) + size, width + (BAR + 3) * size, 3), dtype=np.uint8)
    for i, text in enumerate(texts):
        top = size // 2 + ROW * i * size
        panel[top : top + 2 * size, size : size + text.shape[1]] = text[:, :, None]
        panel[(1 + ROW * i) * size : (2 + ROW * i) * size, width + 2 * size : width + (2 + BAR) * size] = TRACK
    return panel


@lru_cache(maxsize=32)
def _ground(shape: tuple[int, ...]) -> Image:
    return np.full(shape, GROUND, dtype=np.uint8)

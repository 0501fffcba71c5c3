"""Specify what is drawn into a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.draw import COLOURS, annotate, annotate_error
from edge.text import Tag
from edge.values import Box, Image
from tests.edge.samples import OUTAGE, make_frame, make_reading

HAPPY = COLOURS["happy"]


def shown(image: Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Return where a picture has exactly this colour."""
    return (image == colour).all(axis=-1)


def test_annotate_draws_the_box_on_a_copy() -> None:
    image = make_frame().image
    annotated = annotate(image, [make_reading()])
    assert (image == 90).all()
    assert shown(annotated, HAPPY)[30, 20:80].all()
    assert (annotate(image, []) == image).all()


@pytest.mark.parametrize("box", [Box(-30, -30, 60, 60), Box(140, 100, 60, 60), Box(0, 0, 160, 120), Box(5, 5, 1, 1)])
@pytest.mark.parametrize("shape", [(120, 160, 3), (24, 24, 3), (3, 900, 3), (2160, 3840, 3)])
def test_annotate_accepts_every_box_and_picture_size(box: Box, shape: tuple[int, int, int]) -> None:
    assert annotate(np.zeros(shape, dtype=np.uint8), [make_reading(box)], fps=30, notice="hold still").shape == shape


@pytest.mark.parametrize("ground", [0, 255, HAPPY])
def test_the_box_is_visible_on_any_ground(ground: int | tuple[int, int, int]) -> None:
    image = np.full((480, 640, 3), ground, dtype=np.uint8)
    row = annotate(image, [make_reading(Box(200, 150, 150, 150))])[225, 195:205].astype(int)
    assert np.abs(np.diff(row, axis=0)).max() > 100, "a step in brightness"


@pytest.mark.parametrize("height", [240, 480, 720, 1080, 2160])
def test_tags_are_legible_and_no_wider_than_the_face_needs(height: int) -> None:
    image = np.zeros((height, height * 4 // 3, 3), dtype=np.uint8)
    side = height // 4
    box = Box(image.shape[1] // 2, height // 2, side, side)
    above = shown(annotate(image, [make_reading(box)])[: box.y - height // 100], HAPPY)
    rows, columns = (np.flatnonzero(above.any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) >= max(14, height / 60), "its height; that of a capital letter is half of it"
    assert np.ptp(columns) <= 1.6 * side


@pytest.mark.parametrize("height", [8, 11, 26])
def test_strokes_grow_with_the_text(height: int) -> None:
    tag = Tag(("1", "happy", "98%"), height, HAPPY)
    image = np.zeros((2 * height, tag.size[0], 3), dtype=np.uint8)
    tag.draw(image, 0, 0)
    ink = (HAPPY[1] - image[:, :, 1].astype(float)).clip(0) / HAPPY[1]
    assert 0.10 < ink.mean() < 0.25
    assert (image[:, 0] == HAPPY).all()


def test_the_id_is_drawn() -> None:
    image = make_frame().image
    first, second = (annotate(image, [replace(make_reading(), id=id_)]) for id_ in (1, 2))
    assert (first != second).any()
    assert (first == second).all(axis=-1).mean() > 0.99


def test_bars_are_as_long_as_the_probabilities() -> None:
    image = np.full((480, 640, 3), 255, dtype=np.uint8)
    annotated = annotate(image, [make_reading(Box(100, 150, 150, 150))])
    lengths = [shown(annotated[:, 260:], colour).sum(axis=1).max() for colour in COLOURS.values()]
    assert lengths[list(COLOURS).index("happy")] == pytest.approx(0.7 / 0.05 * np.median(lengths), rel=0.3)


def test_in_a_crowd_only_the_largest_face_has_bars() -> None:
    image = np.full((1080, 1920, 3), 255, dtype=np.uint8)
    boxes = [Box(100 + 350 * (i % 5), 150 + 400 * (i // 5), 150 + i, 150) for i in range(10)]
    few, crowd = (annotate(image, [make_reading(box) for box in boxes[:count]]) for count in (5, 10))
    angry = [shown(picture, COLOURS["angry"]).any(axis=0).sum() for picture in (few, crowd)]
    assert angry[0] == 5 * angry[1] > 0


@pytest.mark.parametrize("shape", [(120, 160, 3), (60, 80, 3), (2160, 3840, 3)])
def test_the_error_banner_fits_into_every_picture(shape: tuple[int, int, int]) -> None:
    annotated = annotate_error(np.zeros(shape, dtype=np.uint8), OUTAGE)
    assert annotated.shape == shape
    assert shown(annotated[:, -1:], COLOURS["angry"]).any()
    assert not (annotated[:, -1] == 255).any(), "the text runs out of the picture"

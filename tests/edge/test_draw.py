"""Specify what is drawn into a frame."""

from __future__ import annotations

import numpy as np
import pytest

from edge.draw import RED, annotate, annotate_error
from edge.values import Box
from tests.edge.samples import OUTAGE, make_frame, make_reading


def test_annotate_draws_the_box_on_a_copy() -> None:
    image = make_frame().image
    annotated = annotate(image, [make_reading()])
    assert (image == 90).all()
    assert (annotated[30, 20:80] != 90).any()
    assert (annotate(image, []) == image).all()


@pytest.mark.parametrize("box", [Box(-30, -30, 60, 60), Box(140, 100, 60, 60), Box(0, 0, 160, 120), Box(5, 5, 1, 1)])
@pytest.mark.parametrize("shape", [(120, 160, 3), (24, 24, 3), (2160, 3840, 3)])
def test_annotate_accepts_every_box_and_picture_size(box: Box, shape: tuple[int, int, int]) -> None:
    assert annotate(np.zeros(shape, dtype=np.uint8), [make_reading(box)], fps=30).shape == shape


@pytest.mark.parametrize("shape", [(120, 160, 3), (60, 80, 3), (2160, 3840, 3)])
def test_the_error_banner_fits_into_every_picture(shape: tuple[int, int, int]) -> None:
    annotated = annotate_error(np.zeros(shape, dtype=np.uint8), OUTAGE)
    assert annotated.shape == shape
    assert (annotated[:, -1] == RED).all(axis=-1).any()
    assert not (annotated[:, -1] == 255).any(), "the text runs out of the picture"

"""Specify the preprocessing: the crop around a box, and the network's input."""

from __future__ import annotations

import numpy as np
import pytest

from edge.opencv import cv2
from edge.preprocess import crop, to_input
from edge.values import Box

IMAGE = np.arange(100 * 80, dtype=np.uint32).reshape(80, 100).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "margin", "shape", "reason"),
    [
        (Box(10, 20, 30, 30), 0.0, (30, 30), "inside"),
        (Box(10, 20, 20, 30), 0.0, (30, 30), "made square by its longer side"),
        (Box(10, 20, 30, 30), 0.5, (60, 60), "with a margin"),
        (Box(-10, -10, 30, 30), 0.0, (30, 30), "over the corner"),
        (Box(90, 70, 30, 30), 0.0, (30, 30), "over the other corner"),
        (Box(200, 200, 5, 5), 0.0, (5, 5), "wholly outside"),
        (Box(0, 0, 1, 1), 0.0, (1, 1), "one pixel"),
    ],
)
def test_crop_is_square_and_never_empty(box: Box, margin: float, shape: tuple[int, int], reason: str) -> None:
    assert crop(IMAGE, box, margin).shape == shape, reason


def test_a_crop_inside_the_picture_copies_its_pixels() -> None:
    assert (crop(IMAGE, Box(10, 20, 30, 30)) == IMAGE[20:50, 10:40]).all()


def test_a_crop_over_the_edge_repeats_the_border() -> None:
    face = crop(IMAGE, Box(-5, 0, 10, 10))
    assert (face[:, :6] == IMAGE[:10, :1]).all()
    assert (face[:, 5:] == IMAGE[:10, :5]).all()


def test_crop_accepts_colour() -> None:
    colour = np.dstack([IMAGE] * 3)
    assert crop(colour, Box(-5, 0, 10, 10)).shape == (10, 10, 3)


def test_a_training_face_is_only_resized() -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    result = to_input(face, 96)
    assert result.shape == (96, 96, 3)
    assert result.dtype == np.uint8
    assert (result[..., 0] == cv2.resize(face, (96, 96), interpolation=cv2.INTER_LINEAR)).all()
    assert (result[..., 0] == result[..., 1]).all()
    assert (result[..., 0] == result[..., 2]).all()


def test_a_large_face_is_reduced_to_the_training_resolution_first() -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    large = cv2.resize(face, (384, 384), interpolation=cv2.INTER_NEAREST)
    assert (to_input(large, 96) == to_input(face, 96)).all()


def test_colour_is_read_as_bgr() -> None:
    blue = np.zeros((48, 48, 3), dtype=np.uint8)
    blue[..., 0] = 255
    assert to_input(blue, 48)[0, 0, 0] == 29  # 0.114 * 255: the weight of blue, not of red (76)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_outside_the_picture_border_pixels_are_repeated(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for x, y, side in [(-5, 3, 20), (50, 30, 25), (-90, -90, 30), (200, 10, 17), (10, 300, 1), (-20, -20, 200)]:
        rows = np.clip(np.arange(y, y + side), 0, 39)
        columns = np.clip(np.arange(x, x + side), 0, 59)
        assert (crop(image, Box(x, y, side, side)) == image[np.ix_(rows, columns)]).all()

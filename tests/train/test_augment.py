from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.preprocess import to_input
from tests.conftest import drawn_face
from train.augment import NONE, Augmentation, augment

FACES = np.stack([drawn_face(label, 0) for label in range(7)])


@pytest.mark.parametrize("size", [48, 64, 96, 224])
def test_with_nothing_to_change_it_is_the_devices_preprocessing(size: int) -> None:
    device = np.stack([to_input(face, size) for face in FACES]).astype(np.float32)
    training = augment(FACES, size, np.random.default_rng(0), NONE)
    assert training.shape == (7, size, size, 3)
    assert np.abs(training - device).max() <= 4  # warpAffine reads at steps of 1/32 pixel: 255 / 32 / 2
    assert np.abs(training - device).mean() < 0.5


def test_a_flip_mirrors_about_the_centre() -> None:
    flipped = augment(FACES, 96, np.random.default_rng(0), replace(NONE, flip=1.0))
    plain = augment(FACES, 96, np.random.default_rng(0), NONE)
    assert np.abs(flipped[:, :, ::-1] - plain).max() <= 1


@pytest.mark.parametrize("change", ["rotation_deg", "zoom", "shift", "brightness", "contrast", "erasing"])
def test_every_change_changes(change: str) -> None:
    value = getattr(Augmentation(), change)
    changed = augment(FACES, 96, np.random.default_rng(0), replace(NONE, **{change: value}))
    plain = augment(FACES, 96, np.random.default_rng(0), NONE)
    assert np.abs(changed - plain).max() > 5
    assert changed.min() >= 0
    assert changed.max() <= 255


def test_the_seed_decides() -> None:
    first, again, other = (augment(FACES, 96, np.random.default_rng(seed), Augmentation()) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()

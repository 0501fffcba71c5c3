from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.preprocess import to_input
from tests.conftest import drawn_face
from train.augment import NONE, Augmentation, augment, mix

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


@pytest.mark.parametrize("change", ["rotation_deg", "shear_deg", "zoom", "shift", "brightness", "contrast", "erasing"])
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


def test_mixed_faces_have_mixed_labels() -> None:
    """White faces of one emotion, black ones of the other: how bright a mixture is tells what its label must be."""
    faces = np.repeat([0.0, 255.0], 16)[:, None, None, None] * np.ones((1, 32, 32, 3))
    emotions = np.eye(7, dtype=np.float32)[np.repeat([0, 3], 16)]
    kinds = set()
    for seed in range(8):
        images, targets = mix(faces.astype(np.float32), emotions, np.random.default_rng(seed), share=1.0)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(images.mean(axis=(1, 2, 3)) / 255, targets[:, 3], atol=1e-5)
        assert ((targets[:, 3] > 0.01) & (targets[:, 3] < 0.99)).any()
        kinds.add(bool(np.isin(images, [0, 255]).all()))
    assert kinds == {True, False}, "CutMix leaves every pixel as it was, MixUp does not"
    same, labels = mix(faces.astype(np.float32), emotions, np.random.default_rng(0), share=0.0)
    assert (same == faces).all()
    assert (labels == emotions).all()

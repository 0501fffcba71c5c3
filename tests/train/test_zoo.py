"""Test the networks and the loss."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from edge.errors import ModelError
from train.losses import Objective, label_accuracy, soften
from train.zoo import ARCHITECTURES, build

STUDENT = np.array([[0.7, 0.1, 0.05, 0.05, 0.05, 0.03, 0.02], [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]], np.float32)
TEACHER = np.array([[0.1, 0.6, 0.1, 0.05, 0.05, 0.05, 0.05], [0.9, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01]], np.float32)
LABEL = np.eye(7, dtype=np.float32)[[0, 3]]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_network_takes_pixels_and_gives_seven_probabilities(arch: str) -> None:
    model = build(arch, 48, "none", dropout=0.0)
    outputs = np.asarray(model(np.full((2, 48, 48, 3), 127.0, np.float32)))
    assert outputs.shape == (2, 7)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-5)


def test_batch_norm_follows_within_an_epoch() -> None:
    layers = build("mobilenet_v2", 32, "none", dropout=0.3).get_layer("backbone").layers
    momenta = {layer.momentum for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.95}


def test_vgg_sees_what_it_was_pretrained_on() -> None:
    scaled = build("vgg16", 32, "none", dropout=0.0).get_layer("scale")(np.full((1, 2, 2, 3), 130.0, np.float32))
    np.testing.assert_allclose(np.asarray(scaled)[0, 0, 0], [26.061, 13.221, 6.32], atol=1e-3)


def test_width_and_head_are_arguments() -> None:
    full, slim = (build("mobilenet_v2", 48, "none", 0.0, width=width) for width in (1.0, 0.5))
    assert slim.count_params() < 0.4 * full.count_params()
    large = build("vgg16", 48, "none", dropout=0.5, head="flatten", dense=1024)
    assert large.get_layer("hidden").units == 1024
    assert large.get_layer("pool").output.shape == (None, 512)
    with pytest.raises(ModelError, match="--width 1 with vgg16"):
        build("vgg16", 48, "none", dropout=0.0, width=0.5)
    with pytest.raises(ModelError, match="mobilenet_v2 or mobilenet or"):
        build("alexnet", 48, "none", dropout=0.0)


def test_a_temperature_on_probabilities_is_one_on_logits() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (4, 7)).astype(np.float32)
    expected = keras.ops.softmax(logits / 3.0)
    np.testing.assert_allclose(soften(keras.ops.softmax(logits), 3.0), expected, atol=1e-5)


def test_without_weight_a_teacher_changes_nothing() -> None:
    plain = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(LABEL, STUDENT)
    loss = Objective(temperature=3.0, label_smoothing=0.1)(np.hstack([LABEL, TEACHER]), STUDENT)
    np.testing.assert_allclose(loss, plain, rtol=1e-5)


def test_a_student_that_equals_its_teacher_has_no_loss() -> None:
    loss = Objective(temperature=2.0, teacher_weight=1.0)
    np.testing.assert_allclose(loss(np.hstack([LABEL, TEACHER]), TEACHER), 0, atol=1e-5)
    assert float(loss(np.hstack([LABEL, TEACHER]), STUDENT)) > 0.1
    again = Objective.from_config(loss.get_config())
    assert (again.temperature, again.teacher_weight, again.label_smoothing) == (2.0, 1.0, 0.0)


def test_reverse_cross_entropy_counts_the_other_emotions() -> None:
    """Expect the other emotions' probability times -log of the least one, for a label (Wang et al. 2019)."""
    plain, both = (Objective(reverse_ce=weight)(LABEL, STUDENT) for weight in (0.0, 0.5))
    others = 1 - STUDENT[[0, 1], [0, 3]]
    np.testing.assert_allclose(both - plain, 0.5 * others.mean() * -np.log(1e-4), rtol=1e-4)


def test_accuracy_is_against_the_label() -> None:
    np.testing.assert_array_equal(label_accuracy(np.hstack([LABEL, TEACHER]), STUDENT), [1.0, 0.0])
    np.testing.assert_array_equal(label_accuracy(LABEL, STUDENT), [1.0, 0.0])

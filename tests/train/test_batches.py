"""Test the contents of training batches, and teachers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.backend import open_backend
from edge.labels import EMOTIONS
from edge.values import Image, Probabilities
from train.augment import NONE, Augmentation, augment
from train.batches import Batches
from train.data import FaceSet, load
from train.predict import predict_backend
from train.recipe import Recipe
from train.runs import load_model
from train.targets import Examples, training_examples
from train.teachers import open_teacher

RECIPE = Recipe(data="", size=32, batch_size=16, balance_power=1.0)


@pytest.fixture(scope="module")
def faces(drawn_data: Path) -> FaceSet:
    return load(drawn_data)["train"]


@pytest.fixture(scope="module")
def examples(faces: FaceSet) -> Examples:
    return training_examples(faces, RECIPE)


@pytest.fixture(scope="module")
def rare(faces: FaceSet) -> Examples:
    """Return two faces of disgust and thirty-two of each other emotion."""
    return training_examples(
        faces.take(np.flatnonzero((faces.labels != 1) | (np.cumsum(faces.labels == 1) <= 2))), RECIPE
    )


def labels_of(batches: Batches) -> np.ndarray:
    return np.concatenate([batches[i][1][:, :7].argmax(1) for i in range(len(batches))])


def test_batches_hold_every_face_once(examples: Examples) -> None:
    batches = Batches(examples, RECIPE, Augmentation())
    assert np.bincount(labels_of(batches)).tolist() == [32] * 7
    first, again = batches[0], batches[0]
    assert (first[0] == again[0]).all()
    batches.epoch = 1
    assert (first[0] != batches[0][0]).any()


@pytest.mark.parametrize("balance", ["none", "sampling", "weights"])
def test_batches_follow_from_seed_epoch_and_index(examples: Examples, balance: str) -> None:
    """Wherever the faces are, and whichever batches were made before."""
    recipe = replace(RECIPE, balance=balance, mix=0.5, seed=3)
    in_memory = replace(examples, faces=replace(examples.faces, images=examples.faces.images[:]))
    one, other = (Batches(each, recipe, Augmentation()) for each in (examples, in_memory))
    one[0]
    one.epoch = other.epoch = 2
    for index in (5, 1):
        for value, same in zip(one[index], other[index], strict=True):
            np.testing.assert_array_equal(value, same)
    expected = np.random.default_rng([3, 2]).permutation(len(examples))
    if balance != "sampling":
        plain = Batches(examples, replace(recipe, mix=0.0), NONE)
        plain.epoch = 2
        faces = examples.faces.images[expected[16:32]]
        np.testing.assert_array_equal(plain[1][0], augment(faces, 32, np.random.default_rng(0), NONE))


def test_rare_emotions_are_sampled_as_often_as_the_others(rare: Examples) -> None:
    batches = Batches(rare, replace(RECIPE, balance="sampling"), Augmentation())
    counts = np.zeros(7)
    for epoch in range(20):
        batches.epoch = epoch
        counts += np.bincount(labels_of(batches), minlength=7)
    assert (np.abs(counts / counts.sum() - 1 / 7) < 0.02).all()


def test_rare_emotions_weigh_more(rare: Examples) -> None:
    batches = Batches(rare, replace(RECIPE, balance="weights"), Augmentation())
    sums = np.zeros(7)
    for i in range(len(batches)):
        _, targets, weights = batches[i]
        np.add.at(sums, targets.argmax(1), weights)
    np.testing.assert_allclose(sums, len(rare) / 7, rtol=1e-5)


def test_a_mixture_weighs_what_its_parts_weigh(rare: Examples) -> None:
    _, targets, weights = Batches(rare, replace(RECIPE, balance="weights", mix=1.0), Augmentation())[0]
    counts = np.bincount(rare.faces.labels)
    np.testing.assert_allclose(weights, (targets * len(rare) / 7 / counts).sum(axis=1), rtol=1e-5)


def test_teachers_see_the_same_inputs_and_are_averaged(examples: Examples, exported: dict[str, Path]) -> None:
    path = exported["emotion_float32.tflite"].parent / "model.keras"
    recipe = replace(RECIPE, mix=1.0)
    inputs, targets = Batches(examples, recipe, Augmentation(), [open_teacher(path)])[0]
    alone = np.asarray(load_model(path)(inputs))
    np.testing.assert_allclose(targets[:, 7:], alone, atol=1e-5)
    teachers = [open_teacher(path), lambda inputs: np.eye(7)[[0] * 16]]
    _, mean = Batches(examples, recipe, Augmentation(), teachers)[0]
    np.testing.assert_allclose(mean[:, 7:], (alone + np.eye(7)[0]) / 2, atol=1e-5)
    inputs, larger = Batches(examples, replace(recipe, size=48), Augmentation(), [open_teacher(path)])[0]
    smaller = np.asarray(keras.ops.image.resize(inputs, (32, 32)))
    np.testing.assert_allclose(larger[:, 7:], np.asarray(load_model(path)(smaller)), atol=1e-4)


def test_a_teacher_may_have_its_labels_in_another_order(
    examples: Examples, exported: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend(exported["emotion_float32.tflite"])

    class Backwards:
        card = replace(backend.card, labels=EMOTIONS[::-1])
        invoke = backend.invoke

        def run(self, pixels: Image) -> Probabilities:
            return backend.run(pixels)[::-1]

    inputs = Batches(examples, RECIPE, Augmentation())[0][0]
    images = examples.faces.images[:4]
    expected = open_teacher(exported["emotion_float32.tflite"])(inputs)
    predicted = predict_backend(backend, images)
    monkeypatch.setattr("train.teachers.open_backend", lambda path: Backwards())
    np.testing.assert_array_equal(open_teacher(Path("backwards.tflite"))(inputs), expected)
    np.testing.assert_array_equal(predict_backend(Backwards(), images), predicted)
    assert len(set(expected[0].tolist())) == 7, "else any order would do"


@pytest.mark.parametrize(
    ("name", "tolerance"), [("float32.tflite", 0.02), ("float32.onnx", 0.02), ("int8.tflite", 0.1)]
)
def test_an_exported_teacher_predicts_what_the_keras_model_predicts(
    examples: Examples, exported: dict[str, Path], name: str, tolerance: float
) -> None:
    """Except for the rounding of the inputs; at its own size and at another."""
    path = exported[f"emotion_{name}"]
    for size in (32, 48):
        inputs = Batches(examples, replace(RECIPE, size=size, mix=1.0), Augmentation())[0][0]
        expected = open_teacher(path.parent / "model.keras")(inputs)
        assert np.abs(open_teacher(path)(inputs) - expected).max() < tolerance
        assert np.abs(expected - expected.mean(axis=0)).max() > tolerance, "else any output would do"

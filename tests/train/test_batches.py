"""What a batch holds, and what its faces are to be called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.backend import open_backend
from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Image, Probabilities
from tests.conftest import shared
from train.augment import NONE, Augmentation
from train.batches import Batches, one_hot, read_votes, targets
from train.data import FaceSet, load
from train.predict import predict_backend
from train.runs import Recipe, load_model
from train.teachers import open_teacher

RECIPE = Recipe(data="", size=32, batch=16)


@pytest.fixture(scope="module")
def faces(drawn_data: Path) -> FaceSet:
    return load(drawn_data)["train"]


@pytest.fixture(scope="module")
def rare(faces: FaceSet) -> FaceSet:
    """Of disgust there are two faces, of each other emotion thirty-two."""
    return faces.take(np.flatnonzero((faces.labels != 1) | (np.cumsum(faces.labels == 1) <= 2)))


def labels_of(batches: Batches) -> np.ndarray:
    return np.concatenate([batches[i][1][:, :7].argmax(1) for i in range(len(batches))])


def test_batches_hold_every_face_once(faces: FaceSet) -> None:
    batches = Batches(faces, RECIPE, Augmentation())
    assert np.bincount(labels_of(batches)).tolist() == [32] * 7
    first, again = batches[0], batches[0]
    assert (first[0] == again[0]).all()
    batches.epoch = 1
    assert (first[0] != batches[0][0]).any()


def test_rare_emotions_come_as_often_as_the_others(rare: FaceSet) -> None:
    batches = Batches(rare, replace(RECIPE, balance="sampling"), Augmentation())
    counts = np.zeros(7)
    for epoch in range(20):
        batches.epoch = epoch
        counts += np.bincount(labels_of(batches), minlength=7)
    assert (np.abs(counts / counts.sum() - 1 / 7) < 0.02).all()


def test_rare_emotions_count_more(rare: FaceSet) -> None:
    batches = Batches(rare, replace(RECIPE, balance="weights"), Augmentation())
    sums = np.zeros(7)
    for i in range(len(batches)):
        _, wanted, weights = batches[i]
        np.add.at(sums, wanted.argmax(1), weights)
    np.testing.assert_allclose(sums, len(rare) / 7, rtol=1e-5)


def test_a_mixture_weighs_what_its_parts_weigh(rare: FaceSet) -> None:
    _, wanted, weights = Batches(rare, replace(RECIPE, balance="weights", mix=1.0), Augmentation())[0]
    counts = np.bincount(rare.labels)
    np.testing.assert_allclose(weights, (wanted * len(rare) / 7 / counts).sum(axis=1), rtol=1e-5)


def test_teachers_see_the_same_pictures_and_are_averaged(faces: FaceSet, exported: dict[str, Path]) -> None:
    path = exported["emotion_float32.tflite"].parent / "model.keras"
    recipe = replace(RECIPE, mix=1.0)
    images, wanted = Batches(faces, recipe, Augmentation(), [open_teacher(path)])[0]
    alone = np.asarray(load_model(path)(images))
    np.testing.assert_allclose(wanted[:, 7:], alone, atol=1e-5)
    _, twice = Batches(faces, recipe, Augmentation(), [open_teacher(path), lambda images: np.eye(7)[[0] * 16]])[0]
    np.testing.assert_allclose(twice[:, 7:], (alone + np.eye(7)[0]) / 2, atol=1e-5)
    _, unmixed = Batches(faces, recipe, NONE, [open_teacher(path)])[0]
    assert (unmixed == one_hot(faces)[:16]).all(), "validation has no teacher"
    images, larger = Batches(faces, replace(recipe, size=48), Augmentation(), [open_teacher(path)])[0]
    smaller = np.asarray(keras.ops.image.resize(images, (32, 32)))
    np.testing.assert_allclose(larger[:, 7:], np.asarray(load_model(path)(smaller)), atol=1e-4)


def test_a_teacher_may_have_its_labels_in_another_order(
    faces: FaceSet, exported: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend(exported["emotion_float32.tflite"])

    class Backwards:
        card = replace(backend.card, labels=EMOTIONS[::-1])
        raw = backend.invoke

        def run(self, pixels: Image) -> Probabilities:
            return backend.run(pixels)[::-1]

    images = Batches(faces, RECIPE, Augmentation())[0][0]
    expected = open_teacher(exported["emotion_float32.tflite"])(images)
    judged = predict_backend(backend, faces.images[:4])
    monkeypatch.setattr("train.teachers.open_backend", lambda path: Backwards())
    np.testing.assert_array_equal(open_teacher(Path("backwards.tflite"))(images), expected)
    np.testing.assert_array_equal(predict_backend(Backwards(), faces.images[:4]), judged)
    assert len(set(expected[0].tolist())) == 7, "else any order would do"


@pytest.mark.parametrize(("form", "apart"), [("float32.tflite", 0.02), ("float32.onnx", 0.02), ("int8.tflite", 0.1)])
def test_an_exported_teacher_says_what_the_keras_model_says(
    faces: FaceSet, exported: dict[str, Path], form: str, apart: float
) -> None:
    """But for the rounding of the pictures, at its own size and at another."""
    path = exported[f"emotion_{form}"]
    for size in (32, 48):
        images = Batches(faces, replace(RECIPE, size=size, mix=1.0), Augmentation())[0][0]
        expected, found = open_teacher(path.parent / "model.keras")(images), open_teacher(path)(images)
        assert np.abs(found - expected).max() < apart
        assert np.abs(expected - expected.mean(axis=0)).max() > apart, "else any answer would do"


def test_votes_take_the_place_of_labels(faces: FaceSet, tmp_path: Path) -> None:
    table = tmp_path / "votes.csv"
    first, second = faces.names[:2]
    head = "name,usage,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    table.write_text(f"{head}\n{first},Training,1,0,0,6,1,0,0,1,1,0\n{second},Training,0,0,0,0,0,0,0,0,3,7\n")
    two = faces.take(np.arange(2))
    found = targets(two, replace(RECIPE, soft_labels=str(table)))
    expected = dict(zip(EMOTIONS, found[0].tolist(), strict=True))
    assert expected == pytest.approx({**dict.fromkeys(EMOTIONS, 0.0), "neutral": 1 / 8, "sad": 6 / 8, "angry": 1 / 8})
    assert (found[1] == one_hot(two)[1]).all(), "no votes for an emotion: its label stays"
    assert (Batches(two, replace(RECIPE, soft_labels=str(table)), NONE)[0][1] == one_hot(two)).all()


def test_votes_tell_how_far_to_trust_a_label(faces: FaceSet, tmp_path: Path) -> None:
    """The voters call neutral what this set calls sad, and agree on the rest; one label is a mistake."""
    labels = faces.labels.copy()
    sad, happy, neutral = (EMOTIONS.index(name) for name in ("sad", "happy", "neutral"))
    mistaken = int(np.flatnonzero(labels == happy)[0])
    rows = [",".join(["name", *EMOTIONS])]
    for name, label in zip(faces.names, np.where(labels == sad, neutral, labels), strict=True):
        rows.append(",".join([name, *("9" if i == label else "0" for i in range(7))]))
    (tmp_path / "votes.csv").write_text("\n".join(rows))
    labels[mistaken] = sad
    recipe = replace(RECIPE, soft_labels=str(tmp_path / "votes.csv"), votes="posterior")
    found = targets(replace(faces, labels=labels), recipe)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found[mistaken, sad] == pytest.approx(0.5, abs=0.05)
    assert found[mistaken, happy] > 0.4, "the votes know better"
    right = np.flatnonzero(labels == faces.labels)
    others = right[~np.isin(labels[right], [sad, neutral])]
    assert (found[others, labels[others]] > 0.9).all()
    assert (found[labels == sad][:, neutral] < 0.4).all(), "their neutral may be this set's sad: the label stays"


def test_the_votes_of_fer_plus() -> None:
    votes = read_votes(shared("data/ferplus.csv"))
    np.testing.assert_allclose(votes["PublicTest_10014592"].sum(), 1, atol=1e-6)
    assert EMOTIONS[int(votes["PublicTest_10014592"].argmax())] == "sad"
    assert len(votes) > 30_000


VOTES = "name,neutral,happy,surprise,sad,angry,disgust,fear\n"


@pytest.mark.parametrize(
    "content",
    ["", "name,neutral\nx,1\n", "a,b\n1,2\n", VOTES + "x,1,0,inf,0,0,0,0\n", VOTES + "x,9,0,-1,0,0,0,0\n"],
)
def test_a_table_without_votes_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(content)
    with pytest.raises(DataError, match="table of votes"):
        read_votes(tmp_path / "votes.csv")


def test_votes_on_other_faces_are_refused(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(VOTES + "else,1,0,0,0,0,0,0\n")
    with pytest.raises(DataError, match="found 0 of"):
        targets(faces, replace(RECIPE, soft_labels=str(tmp_path / "votes.csv")))

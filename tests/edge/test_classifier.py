"""Specify how the shipped model classifies real faces on a device."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge.backend import NAMED, SHIPPED, open_backend
from edge.backends import litert
from edge.classifier import Classifier, ClassifierPool
from edge.detectors.haar import Haar
from edge.errors import ModelError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.sources.demo import PHOTOGRAPH
from edge.values import Box, Face, Probabilities
from tests.conftest import shared
from train.data import load
from train.evaluation import evaluate_on_votes
from train.predict import predict
from train.votes import votes_on

SMILING = ["fer_justin.jpg", "sadtalker_happy.png", "spotimotion_happy.jpg"]


def test_the_astronaut_is_happy() -> None:
    picture = cv2.imread(str(PHOTOGRAPH))
    (face,) = Haar().detect(picture)
    probabilities = Classifier(open_backend(SHIPPED)).read(picture, face.box)
    assert probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1, abs=0.03)  # seven values, each rounded to 1/256
    assert EMOTIONS[int(probabilities.argmax())] == "happy"
    assert probabilities.max() > 0.6


def test_classifying_is_repeatable_and_does_not_change_the_picture() -> None:
    picture = cv2.imread(str(PHOTOGRAPH))
    before = picture.copy()
    (face,) = Haar().detect(picture)
    classifier = Classifier(open_backend(SHIPPED))
    first = classifier.read(picture, face.box)
    second = classifier.read(picture, face.box)
    assert (first == second).all()
    assert (picture == before).all()


@pytest.mark.parametrize(("path", "least"), [(SHIPPED, 0.58), (NAMED["labels"], 0.68)], ids=["default", "labels"])
def test_a_shipped_model_has_the_accuracy_on_its_card(public_test: Path, path: Path, least: float) -> None:
    """Measure it against FER-2013's labels, which the default model did not learn."""
    faces = load(public_test, ("public",))["public"]
    accuracy = float((predict(path, faces.images).argmax(1) == faces.labels).mean())
    assert accuracy >= least
    assert accuracy == pytest.approx(open_backend(path).card.validation["accuracy"], abs=0.002)


@pytest.mark.parametrize(
    ("path", "accuracy", "mean_recall"),
    [(SHIPPED, 0.86, 0.79), (NAMED["tiny"], 0.825, 0.72)],
    ids=["default", "tiny"],
)
def test_what_most_annotators_see_is_named(public_test: Path, path: Path, accuracy: float, mean_recall: float) -> None:
    faces = load(public_test, ("public",))["public"]
    votes = votes_on(faces.names, shared("data/ferplus.csv"))
    metrics = evaluate_on_votes(votes, predict(path, faces.images))
    assert metrics["clear_faces"] == 3172
    assert metrics["accuracy"] > accuracy
    assert metrics["mean_recall"] > mean_recall
    assert metrics["calibration_error"] < 0.03


def test_the_tiny_model_takes_a_third_of_the_default_ones_multiply_adds() -> None:
    tiny, default = (open_backend(path).card for path in (NAMED["tiny"], SHIPPED))
    assert tiny.macs
    assert default.macs
    assert tiny.macs < default.macs / 3


@pytest.mark.parametrize("name", SMILING)
def test_smiling_people_in_photographs_are_happy(name: str) -> None:
    picture = cv2.imread(str(shared(f"media/faces/{name}")))
    faces = Haar().detect(picture)
    assert faces
    probabilities = Classifier(open_backend(SHIPPED)).read(picture, faces[0].box)
    assert EMOTIONS[int(probabilities.argmax())] == "happy"


@pytest.mark.parametrize("count", [2, 4])
def test_several_faces_are_classified_at_the_same_time(count: int) -> None:
    """Answer a face only while another thread asks about another one."""
    meeting = threading.Barrier(2, timeout=10)
    asked: set[tuple[int, int]] = set()

    def classify(classifier: Classifier, face: Face) -> Probabilities:
        meeting.wait()
        asked.add((id(classifier), threading.get_ident()))
        return np.array([face.box.x], np.float32)

    pool = ClassifierPool(Classifier(open_backend(SHIPPED)), workers=2)
    answers = pool.map(classify, [Face(Box(i, 0, 9, 9)) for i in range(count)])
    assert [int(answer[0]) for answer in answers] == list(range(count)), "in the order of the faces"
    assert len(asked) == len({classifier for classifier, _ in asked}) == 2, "each thread has an interpreter of its own"


def test_cores_change_no_answer() -> None:
    image = cv2.imread(str(PHOTOGRAPH))
    faces = [Face(Box(60 * i, 40 * i, 90 + 20 * i, 90 + 20 * i)) for i in range(5)]

    def classify(classifier: Classifier, face: Face) -> Probabilities:
        return classifier.read(image, face.box)

    one, three = (ClassifierPool(Classifier(open_backend(SHIPPED)), workers).map(classify, faces) for workers in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert len({row.tobytes() for row in one}) == len(faces)


def test_several_faces_have_interpreters_of_one_thread_each() -> None:
    """Two cores have two threads: the interpreter that a single face has, of two threads, is not one of them."""
    classifier = Classifier(open_backend(SHIPPED, threads=2))
    pool = ClassifierPool(classifier, workers=2)
    asked: list[Classifier] = []
    for count in (2, 1):
        pool.map(lambda used, _: asked.append(used) or np.zeros(7), [Face(Box(i, 0, 9, 9)) for i in range(count)])
    assert [used.backend.threads for used in asked] == [1, 1, 2]
    assert asked[-1] is classifier


def test_a_frame_that_fails_leaves_no_thread_at_work() -> None:
    finished = threading.Event()

    def classify(classifier: Classifier, face: Face) -> Probabilities:
        if face.box.x == 0:
            raise ValueError("this thread")
        time.sleep(0.2)
        finished.set()
        return np.zeros(7, np.float32)

    pool = ClassifierPool(Classifier(open_backend(SHIPPED)), workers=2)
    with pytest.raises(ValueError, match="this thread"):
        pool.map(classify, [Face(Box(i, 0, 9, 9)) for i in range(2)])
    assert finished.is_set()


def test_a_face_that_fails_on_another_core_is_an_error() -> None:
    def classify(classifier: Classifier, face: Face) -> Probabilities:
        if face.box.x == 1:
            raise ValueError("one")
        return np.zeros(7, np.float32)

    pool = ClassifierPool(Classifier(open_backend(SHIPPED)), workers=2)
    with pytest.raises(ValueError, match="one"):
        pool.map(classify, [Face(Box(i, 0, 9, 9)) for i in range(2)])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_the_table_of_a_quantized_output_holds_what_its_values_stand_for(dtype: type) -> None:
    table = litert._dequantized({"quantization": (0.25, 3), "dtype": dtype}, SHIPPED)
    assert table is not None
    limits = np.iinfo(dtype)
    values = np.array([limits.min, 0, 3, limits.max], dtype)
    np.testing.assert_array_equal(table.take(values), (values.astype(np.float32) - 3) / 4)
    assert litert._dequantized({"quantization": (0.0, 0), "dtype": np.float32}, SHIPPED) is None
    with pytest.raises(ModelError, match="outputs of 8 or 16 bits"):
        litert._dequantized({"quantization": (0.25, 3), "dtype": np.int32}, SHIPPED)

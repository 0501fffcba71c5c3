"""Specify when an exported file counts as the same as its Keras model, and which Keras files are opened at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.backend import SHIPPED
from edge.errors import ModelError
from edge.values import Probabilities
from export.verify import LIMITS, TIED, compare, validation_faces
from train.data import FaceSet
from train.predict import predict
from train.runs import HDF5, check_model_file

FACES = 400
NOISE = np.random.default_rng(0).normal(0, 1, (2, FACES, 7))


def probabilities(logits: np.ndarray) -> Probabilities:
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("exported", "meets", "reason"),
    [
        (lambda unsure: 0 * unsure, False, "collapsed: the same answer for every face"),
        (lambda unsure: np.tile(unsure.mean(axis=0), (FACES, 1)), False, "collapsed to the mean answer"),
        (lambda unsure: np.roll(unsure, 1, axis=0), False, "answers of other faces"),
        (lambda unsure: np.round(unsure, 1), False, "steps that hide most of the answers"),
        (lambda unsure: unsure + 0.003 * NOISE[1], True, "rounding, where labels are tied"),
        (lambda unsure: unsure + 0.1 * NOISE[1], False, "differences that change untied labels"),
    ],
)
def test_an_unsure_model_may_swap_tied_labels_but_not_collapse(exported: object, meets: bool, reason: str) -> None:
    """All answers are near 1/7, so that even a file which always answers the same differs by little."""
    assert callable(exported)
    unsure = 0.012 * NOISE[0]
    faces = FaceSet(np.zeros((FACES, 48, 48), np.uint8), np.zeros(FACES, np.int64), ("",) * FACES, "public")
    parity = compare(faces, probabilities(unsure), probabilities(exported(unsure)))
    assert parity.meets(LIMITS["int8"]) is meets, reason
    assert parity.agreement < LIMITS["int8"].agreement - 0.02  # it is the other rule that is tested
    if "collapsed" in reason:
        assert parity.largest_difference < TIED
        assert parity.unexplained == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("collapsed", "meets"), [(True, False), (False, True)], ids=["always the same answer", "rounded"]
)
def test_a_file_that_always_names_the_commonest_emotion_is_refused(collapsed: bool, meets: bool) -> None:
    """On faces that nearly all smile, as the crops of one portrait, a collapsed file agrees in its labels."""
    sure = NOISE[0].copy()
    sure[:, 3] += 7
    faces = FaceSet(np.zeros((FACES, 48, 48), np.uint8), np.zeros(FACES, np.int64), ("",) * FACES, "public")
    reference = probabilities(sure)
    always = np.tile(reference.mean(axis=0), (FACES, 1))
    parity = compare(faces, reference, always if collapsed else probabilities(sure + 0.02 * NOISE[1]))
    assert parity.agreement > 0.99
    assert parity.meets(LIMITS["int8"]) is meets


def test_a_portrait_without_a_data_set_shows_a_collapsed_file() -> None:
    """Compare the shipped file with itself, and with its answer to one face."""
    faces = validation_faces(None)
    answers = predict(SHIPPED, faces.images)
    assert compare(faces, answers, answers).meets(LIMITS["int8"])
    assert not compare(faces, answers, np.tile(answers[:1], (len(faces), 1))).meets(LIMITS["int8"])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("cut.keras", b"PK\x03\x04 and no more", "copy it again, it is damaged"),
        ("old.keras", HDF5 + b"...", "it is HDF5, rename it to old.h5"),
        ("a.onnx", b"", "give it a card: edge-emotion adopt"),
        ("a.pth", b"", "torch.onnx.export"),
        ("frozen.pb", b"", "tf2onnx"),
        ("converted_keras.zip", b"", "unpack it"),
        ("none.keras", None, "no model at"),
    ],
)
def test_a_file_that_keras_cannot_open_is_told_the_way(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=expected):
        check_model_file(tmp_path / name)

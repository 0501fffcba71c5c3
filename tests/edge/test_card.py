"""Specify the model card: what is valid, and how it is read from a file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from edge.backend import SHIPPED
from edge.card import ModelCard
from edge.errors import ModelError
from edge.labels import EMOTIONS
from edge.model_file import CARD_FILE, read_model_file

CARD = ModelCard(labels=EMOTIONS, input_size=96, face_size=48, precision="int8", architecture="mobilenet_v2")
PATH = Path("some.tflite")


def test_a_card_round_trips_through_json() -> None:
    assert ModelCard.from_json(CARD.to_json(), PATH) == CARD


def test_fields_of_later_versions_are_ignored() -> None:
    text = json.dumps({**json.loads(CARD.to_json()), "mood_ring": True})
    assert ModelCard.from_json(text, PATH) == CARD


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["angry"]},
        {"labels": ["a", "a"]},
        {"labels": 3},
        {"labels": "abc"},
        {"labels": ["a", 3]},
        {"labels": ["a", ["b"]]},
        {"labels": ["a", ""]},
        {"labels": ["a", "b" * 41]},
        {"labels": ["a", "\x1b[31mred"]},
        {"labels": ["a", "\ud800"]},
        {"labels": ["a", "two\nlines"]},
        {"labels": [str(number) for number in range(1001)]},
        {"input_size": 0},
        {"input_size": 96.0},
        {"input_size": True},
        {"input_size": "96"},
        {"face_size": 10**30},
        {"crop_margin": -1},
        {"crop_margin": "x"},
        {"macs": 0},
        {"macs": 1.5},
        {"colour": "cmyk"},
        {"channels": 2},
        {"channels": True},
        {"input_type": "int64"},
        {"input_scale": ["0..1"]},
        {"targets": ["votes"]},
        {"precision": ["int8"]},
        {"architecture": "\x1b]0;title\x07"},
        {"licence": "x" * 1001},
        {"training_data": "\udfff"},
        {"versions": ["keras"]},
        {"versions": {"keras": "\x1b[2J"}},
        {"calibration": "faces"},
        {"validation": {"accuracy": 2}},
        {"validation": {"accuracy": True}},
        {"validation": [[[[[[[[[[]]]]]]]]]]},
        {"validation": {"flips": [[[[[[[[[]]]]]]]]]}},
        {"face_probabilities": [0.5]},
        {"face_probabilities": ["a"] * 7},
        {"face_probabilities": [2.0] + [0.0] * 6},
        {"face_probabilities": 1},
    ],
    ids=lambda change: ascii(change)[:50],
)
def test_values_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"damaged card in some\.tflite") as raised:
        ModelCard.from_json(json.dumps({**json.loads(CARD.to_json()), **change}), PATH)
    assert str(raised.value).isprintable(), "an escape sequence or a second line reaches the terminal"
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", "null", "[" * 100_000, '{"labels": NaN}', b"\xff{}", " " * 2_000_000], ids=range(9)
)
def test_text_that_is_no_card_is_refused(text: bytes | str) -> None:
    with pytest.raises(ModelError, match=r"damaged card in some\.tflite"):
        ModelCard.from_json(text, PATH)


def test_the_shipped_card_documents_the_model() -> None:
    card = read_model_file(SHIPPED).card
    assert card.labels == EMOTIONS
    assert (card.precision, card.architecture, card.input_size) == ("int8", "mobilenet_v2", 96)
    assert card.calibration is not None
    assert card.calibration["faces"] >= 100
    assert card.targets == "votes"
    assert card.validation["accuracy"] >= 0.58, "against FER-2013's labels, which it did not learn"
    assert len(card.keras_sha256) == len(card.graph_sha256) == 64
    with zipfile.ZipFile(SHIPPED) as archive:
        assert archive.read("labels.txt").decode().split() == list(EMOTIONS)
        assert CARD_FILE in archive.namelist()

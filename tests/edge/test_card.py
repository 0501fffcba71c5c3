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
    [{"labels": ["angry"]}, {"labels": ["a", "a"]}, {"input_size": 0}, {"colour": "rgb"}, {"labels": 3}],
    ids=str,
)
def test_values_out_of_range_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        ModelCard.from_json(json.dumps({**json.loads(CARD.to_json()), **change}), PATH)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null"])
def test_text_that_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ModelError):
        ModelCard.from_json(text, PATH)


def test_a_tflite_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.tflite"
    path.write_bytes(b"TFL3" * 100)
    with pytest.raises(ModelError, match="card"):
        read_model_file(path)


def test_the_shipped_card_documents_the_model() -> None:
    card = read_model_file(SHIPPED).card
    assert card.labels == EMOTIONS
    assert (card.precision, card.architecture, card.input_size) == ("int8", "mobilenet_v2", 80)
    assert card.calibration is not None
    assert card.calibration["faces"] >= 100
    assert card.targets == "votes"
    assert card.validation["accuracy"] >= 0.58, "against FER-2013's labels, which it did not learn"
    assert len(card.keras_sha256) == 64
    with zipfile.ZipFile(SHIPPED) as archive:
        assert archive.read("labels.txt").decode().split() == list(EMOTIONS)
        assert CARD_FILE in archive.namelist()

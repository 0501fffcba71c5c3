"""Specify `--model auto`: the fastest file within the accuracy budget."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge.auto_model import AUTO, OpenModel, open_fastest, open_model
from edge.backend import NAMED, SHIPPED, model_path, open_backend
from edge.errors import ModelError

LABELS_MODEL = NAMED["labels"]  # its targets are those of the tiny network


def test_every_file_that_opens_is_timed_and_the_others_are_named(exported: dict[str, Path], tmp_path: Path) -> None:
    for name, path in exported.items():
        shutil.copy(path, tmp_path / name)
    (tmp_path / "damaged.tflite").write_bytes(b"nothing")
    model = open_model(tmp_path, threads=1)
    assert model.path.name in exported
    assert model.backend.card.labels
    assert model.reason is not None
    assert all(name in model.reason for name in exported)
    assert "damaged.tflite left out: " in model.reason


@pytest.mark.parametrize(("accuracy", "chosen"), [(0.5, LABELS_MODEL.name), (0.685, "tiny.tflite")])
def test_a_faster_model_is_chosen_only_within_the_accuracy_budget(
    exported: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accuracy: float, chosen: str
) -> None:
    """Compare with the tiny network, which is many times as fast as the shipped one."""
    shutil.copy(LABELS_MODEL, tmp_path)
    shutil.copy(exported["emotion_int8.tflite"], tmp_path / "tiny.tflite")
    accuracies = {"cnn": accuracy, "mobilenet_v2": 0.69}
    monkeypatch.setattr("edge.auto_model._accuracy", lambda backend: accuracies[backend.card.architecture])
    assert open_fastest(tmp_path, threads=1).path.name == chosen


def test_a_named_file_is_opened_without_a_choice() -> None:
    model = open_model(SHIPPED, threads=1)
    assert (model.path, model.reason) == (SHIPPED, None)


@pytest.mark.parametrize("name", NAMED)
def test_a_shipped_model_has_a_short_name(name: str) -> None:
    assert model_path(name) == model_path(Path(name)) == NAMED[name]
    assert open_backend(model_path(name)).card.labels == open_backend(SHIPPED).card.labels
    assert model_path(f"./{name}") == Path(name), "a folder of that name"


def test_a_folder_without_models_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found none that opens here"):
        open_fastest(tmp_path, threads=1)


def test_accuracies_of_different_targets_are_not_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Prefer the model trained on votes to one with a higher accuracy against labels."""
    votes = open_backend(SHIPPED)
    labels = open_backend(SHIPPED)
    votes.card = replace(votes.card, targets="votes", validation={"accuracy": 0.6})
    labels.card = replace(labels.card, targets="labels", validation={"accuracy": 0.7})
    models = [OpenModel(Path("labels.tflite"), labels), OpenModel(Path("votes.tflite"), votes)]
    monkeypatch.setattr("edge.auto_model._open_all", lambda folder, threads: (models, []))
    model = open_fastest(tmp_path, threads=1)
    assert model.path.name == "votes.tflite"
    assert "labels.tflite left out: it was trained on labels" in (model.reason or "")


def test_the_shipped_face_detector_is_no_candidate() -> None:
    for path in (AUTO, Path(os.path.relpath(SHIPPED.parent))):
        assert "face_detection" not in (open_model(path, threads=1).reason or "")

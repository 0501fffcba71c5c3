"""Test a data set of one's own, small and with other labels, from the pictures to the readings of the device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.__main__ import main as run
from edge.backend import open_backend
from edge.opencv import cv2
from export import tflite
from tests.conftest import drawn_face
from train import data, folds
from train.__main__ import main as train
from train.evaluate import main as evaluate
from train.recipe import read_recipe
from train.runs import read_history

LABELS = ("away", "bored", "focused")


@pytest.fixture(scope="module")
def my_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ten drawn faces of each label."""
    folder = tmp_path_factory.mktemp("own") / "my_faces"
    for label, name in enumerate(LABELS):
        (folder / name.title()).mkdir(parents=True)
        for seed in range(10):
            cv2.imwrite(str(folder / name.title() / f"{seed}.png"), drawn_face(2 * label, seed))
    return folder


@pytest.fixture(scope="module")
def own_run(tiny_run: Path, my_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on these faces that started from the tiny model, with two folds."""
    folder = tmp_path_factory.mktemp("runs") / "own"
    arguments = f"--weights {tiny_run / 'model.keras'} --epochs 3 --head-epochs 1 --learning-rate 5e-3 --out {folder}"
    with pytest.MonkeyPatch.context() as patch:
        for module in (data, folds):
            patch.setattr(module, "FOLD_COUNT", 2)
        assert train(["--data", str(my_faces), *arguments.split()]) == 0
    return folder


@pytest.mark.slow
def test_few_faces_are_measured_by_folds(own_run: Path) -> None:
    metrics = json.loads((own_run / "metrics.json").read_text())
    assert (metrics["split"], metrics["faces"]) == ("folds", 30)
    assert list(metrics["per_class"]) == list(LABELS)
    recipe = read_recipe(own_run)
    assert (recipe.arch, recipe.size) == ("cnn", 32), "as the model that it starts from"
    assert (recipe.validation, recipe.batch_size, recipe.classes) == ("folds", 8, LABELS)
    rows = read_history(own_run)
    means = [[row["val_accuracy"] for row in read_history(own_run / f"fold-{number}")] for number in (1, 2)]
    assert [row["val_accuracy"] for row in rows] == pytest.approx([sum(pair) / 2 for pair in zip(*means, strict=True)])
    assert rows[-1]["val_accuracy"] == pytest.approx(metrics["accuracy"])
    assert not list(own_run.glob("fold-*/*.keras"))


@pytest.mark.slow
def test_a_model_of_own_labels_is_exported_and_runs(
    own_run: Path, my_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(own_run / "model.keras")
    assert tflite.main(["--int8", "--model", model]) == 0, "the data set and the labels follow from the recipe"
    file = own_run / "emotion_int8.tflite"
    card = open_backend(file).card
    assert card.labels == LABELS
    assert card.training_data.startswith("my_faces, split train; last epoch, all faces; accuracy by ")
    assert "FER-2013" in card.licence, "the model that it starts from learned from these"
    assert "my_faces (licence not stated)" in card.licence
    assert card.calibration is not None
    assert card.calibration["per_class"] == dict.fromkeys(LABELS, 10)
    assert "accuracy" not in card.validation, "it has learned these faces"
    events = tmp_path / "events"
    outputs = [argument for kind in ("jsonl", "csv") for argument in ("--events", f"{events}.{kind}")]
    assert run(["demo", "--model", str(file), "--max-frames", "8", "--no-display", *outputs]) == 0
    lines = [json.loads(line) for line in Path(f"{events}.jsonl").read_text().splitlines()]
    readings = [face for line in lines for face in line["faces"]]
    assert readings
    assert all(tuple(face["probabilities"]) == LABELS for face in readings)
    assert ",".join(LABELS) in Path(f"{events}.csv").read_text().splitlines()[0]
    out = tmp_path / "report"
    assert evaluate(["--model", str(file), "--data", str(my_faces), "--ignore", "bored", "--out", str(out)]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["per_class"]["bored"]["recall"] is None
    assert metrics["faces"] == 20

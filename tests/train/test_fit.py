"""Training itself, small: it learns, it leaves a whole run folder, and it goes on exactly where it was killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.errors import ModelError
from tests.conftest import TINY_EPOCHS, tiny_arguments
from train.__main__ import main
from train.augment import Augmentation
from train.data import load
from train.fit import Batches, RunFolder
from train.runs import Recipe, checkpoint, load_model, read_arrays, read_history
from train.zoo import build


def test_a_run_leaves_what_it_promises(tiny_run: Path) -> None:
    left = {file.name for file in tiny_run.iterdir() if file.suffix not in (".tflite", ".onnx", ".npz")}
    written = {"recipe.json", "history.csv", "model.keras", "metrics.json", "curves.png"}
    assert left == {*written, checkpoint(tiny_run, TINY_EPOCHS).name}
    assert checkpoint(tiny_run, TINY_EPOCHS, ".npz").is_file()
    history = read_history(tiny_run)
    assert [row["epoch"] for row in history] == list(range(1, TINY_EPOCHS + 1))
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert metrics["faces"] == 28
    assert metrics["not_in_training"]["faces"] == 28
    assert metrics["accuracy"] > 0.8, "it learns"
    averages = [row["val_accuracy_of_average"] for row in history]
    assert metrics["accuracy"] == pytest.approx(max(averages), abs=1e-6)


@pytest.mark.parametrize("epochs_done", [1, 2, 4], ids=["amid the head", "after it", "amid fine-tuning"])
def test_a_killed_run_goes_on_where_it_was(
    tiny_run: Path,
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs_done: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Cut after some epochs and resumed, it ends with the weights of the run that was never cut."""
    cut = tmp_path / "cut"
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "on_epoch_begin", _dies_at(epochs_done))
        assert main([*tiny_arguments(drawn_data), "--out", str(cut)]) == 130
    assert f"after {epochs_done} epochs; go on with: python -m train --resume" in capfd.readouterr().err
    assert not (cut / "metrics.json").exists()
    assert len(read_history(cut)) == epochs_done
    assert main(["--resume", "--out", str(cut)]) == 0
    whole, resumed = (load_model(checkpoint(run, TINY_EPOCHS)).get_weights() for run in (tiny_run, cut))
    whole += read_arrays(checkpoint(tiny_run, TINY_EPOCHS, ".npz"))
    resumed += read_arrays(checkpoint(cut, TINY_EPOCHS, ".npz"))
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_average_is_kept(tiny_run: Path) -> None:
    """What model.keras holds is the average of the epochs, and no epoch's own weights."""
    average = read_arrays(checkpoint(tiny_run, TINY_EPOCHS, ".npz"))
    last = load_model(checkpoint(tiny_run, TINY_EPOCHS)).get_weights()
    assert [a.shape for a in average] == [b.shape for b in last]
    assert max(np.abs(a - b).max() for a, b in zip(average, last, strict=True)) > 1e-3


def test_training_goes_on_from_a_model_with_its_head(tiny_run: Path, tmp_path: Path) -> None:
    model = build("cnn", 32, str(tiny_run / "model.keras"), dropout=0.3)
    for a, b in zip(model.get_weights(), load_model(tiny_run / "model.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ModelError, match="mobilenet_v2 at --size 32"):
        build("mobilenet_v2", 32, str(tiny_run / "model.keras"), dropout=0.3)


def _dies_at(epoch_to_die: int) -> Callable[[RunFolder, int], None]:
    honest = RunFolder.on_epoch_begin

    def on_epoch_begin(self: RunFolder, epoch: int, logs: dict[str, float] | None = None) -> None:
        honest(self, epoch, logs)
        if epoch == epoch_to_die:
            raise KeyboardInterrupt

    return on_epoch_begin


def test_a_run_is_not_overwritten(tiny_run: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (tiny_run / "model.keras").read_bytes()
    assert main([*tiny_arguments(drawn_data), "--out", str(tiny_run)]) == 2
    assert "--resume" in capfd.readouterr().err
    assert (tiny_run / "model.keras").read_bytes() == before


def test_batch_norm_follows_within_an_epoch() -> None:
    layers = build("mobilenet_v2", 32, "none", dropout=0.3).get_layer("backbone").layers
    momenta = {layer.momentum for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.95}


def test_a_damaged_recipe_is_refused(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_text("{")
    assert main(["--resume", "--out", str(tmp_path / "run")]) == 2
    assert "recipe.json" in capfd.readouterr().err


def test_batches_hold_every_face_once(drawn_data: Path) -> None:
    faces = load(drawn_data)["train"]
    batches = Batches(faces, Recipe(data="", size=32, batch=16), Augmentation())
    labels = np.concatenate([batches[i][1].argmax(1) for i in range(len(batches))])
    assert np.bincount(labels).tolist() == [32] * 7
    first = batches[0]
    again = batches[0]
    assert (first[0] == again[0]).all()
    batches.epoch = 1
    assert (first[0] != batches[0][0]).any()

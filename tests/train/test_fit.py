"""Test small trainings: they learn, leave complete run folders, and resume exactly where they were killed."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.labels import EMOTIONS
from tests.conftest import ROOT, TINY_EPOCHS, draw_data_set, tiny_arguments
from train import fit
from train.__main__ import main
from train.batches import Batches
from train.fit import RunFolder, plateau_learning_rate, should_stop_early
from train.recipe import Recipe, read_recipe
from train.runs import BACKBONE, checkpoint, load_model, read_arrays, read_history, write_arrays
from train.targets import Validation
from train.zoo import build


def test_a_run_leaves_a_complete_folder(tiny_run: Path) -> None:
    files = {file.name for file in tiny_run.iterdir() if file.suffix not in (".tflite", ".onnx", ".npz")}
    written = {"recipe.json", "history.csv", "model.keras", "metrics.json"}
    written |= {f"{name}{suffix}" for name in ("curves", "confusion") for suffix in (".png", ".svg", ".pdf")}
    written |= {f"{name}{suffix}" for name in ("results", "classes") for suffix in (".md", ".tex", ".csv")}
    assert files == {*written, checkpoint(tiny_run, TINY_EPOCHS).name}
    assert checkpoint(tiny_run, TINY_EPOCHS, ".npz").is_file()
    history = read_history(tiny_run)
    assert [row["epoch"] for row in history] == list(range(1, TINY_EPOCHS + 1))
    metrics = json.loads((tiny_run / "metrics.json").read_text())
    assert read_recipe(tiny_run).validation == metrics["split"] == "held-out"
    assert metrics["faces"] == metrics["not_in_training"]["faces"] == 21
    assert metrics["accuracy"] > 0.8, "it learns"
    averages = [row["val_accuracy_of_average"] for row in history]
    assert metrics["accuracy"] == pytest.approx(max(averages), abs=1e-6)


@pytest.mark.parametrize(
    ("epochs_done", "full_disk"), [(1, False), (2, True)], ids=["amid the head", "after it, by a full disk"]
)
def test_an_interrupted_run_resumes_exactly(
    tiny_run: Path,
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    epochs_done: int,
    full_disk: bool,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Expect a run that was cut after some epochs and resumed to end with the weights of an uncut one."""
    cut = tmp_path / "cut"
    with monkeypatch.context() as patch:
        if full_disk:
            patch.setattr(fit, "write_arrays", _fill_disk_at(epochs_done))
        else:
            patch.setattr(RunFolder, "on_epoch_begin", _interrupt_at(epochs_done))
        assert main([*tiny_arguments(drawn_data), "--out", str(cut)]) == (2 if full_disk else 130)
    error = capfd.readouterr().err
    assert (
        "No space left" if full_disk else f"after {epochs_done} epochs; continue with: python -m train --r"
    ) in error
    assert not (cut / "metrics.json").exists()
    assert len(read_history(cut)) == epochs_done
    assert main(["--resume", "--out", str(cut)]) == 0
    whole, resumed = (load_model(checkpoint(run, TINY_EPOCHS)).get_weights() for run in (tiny_run, cut))
    whole += read_arrays(checkpoint(tiny_run, TINY_EPOCHS, ".npz"))
    resumed += read_arrays(checkpoint(cut, TINY_EPOCHS, ".npz"))
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_average_is_kept(tiny_run: Path) -> None:
    """Expect the averaged weights to differ from the last epoch's own."""
    average = read_arrays(checkpoint(tiny_run, TINY_EPOCHS, ".npz"))
    last = load_model(checkpoint(tiny_run, TINY_EPOCHS)).get_weights()
    assert [a.shape for a in average] == [b.shape for b in last]
    assert max(np.abs(a - b).max() for a, b in zip(average, last, strict=True)) > 1e-3


def test_training_starts_from_a_model_with_its_head(tiny_run: Path, tmp_path: Path) -> None:
    model = build("cnn", 32, str(tiny_run / "model.keras"), dropout=0.3)
    for a, b in zip(model.get_weights(), load_model(tiny_run / "model.keras").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ModelError, match="mobilenet_v2 at --size 32"):
        build("mobilenet_v2", 32, str(tiny_run / "model.keras"), dropout=0.3)


def test_a_run_killed_at_any_moment_resumes_exactly(tiny_run: Path, drawn_data: Path, tmp_path: Path) -> None:
    """Kill by SIGKILL, which cannot be caught; half-written files do not count."""
    cut = tmp_path / "cut"
    command = [sys.executable, "-m", "train", *tiny_arguments(drawn_data), "--out", str(cut)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(read_history(cut)) < 3:
            time.sleep(0.01)
        process.kill()
    assert 3 <= len(read_history(cut)) < TINY_EPOCHS
    assert main(["--resume", "--out", str(cut)]) == 0
    whole, resumed = (load_model(checkpoint(run, TINY_EPOCHS)).get_weights() for run in (tiny_run, cut))
    for a, b in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def start_training(options: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start `python -m train` in a process of its own."""
    command = [sys.executable, "-m", "train", *options.split(), "--out", str(folder)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(*processes: subprocess.Popen[str]) -> None:
    """Wait until all processes have ended; each must succeed."""
    for process in processes:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr


def read_losses(folder: Path, *names: str) -> list[list[float]]:
    return [[row[name] for name in names] for row in read_history(folder)]


def test_the_backends_train_alike(tiny_run: Path, tmp_path: Path) -> None:
    """Train with mixing, class weights, a teacher and averaging in both phases, on TensorFlow and JAX."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed here")
    few_faces = draw_data_set(tmp_path / "few", train=10)  # 63 training faces: a last batch of 15
    start = tiny_run / "model.keras"
    options = (
        " ".join(tiny_arguments(few_faces)) + " --epochs 2 --head-epochs 1 --mix 0.5 --balance weights --dropout 0"
    )
    options += f" --ema 0.5 --weights {start} --teacher {start}"
    backends = ("tensorflow", "jax")
    wait_for(*(start_training(options, tmp_path / backend, KERAS_BACKEND=backend) for backend in backends))
    histories = [read_losses(tmp_path / backend, "loss", "val_loss", "val_accuracy") for backend in backends]
    np.testing.assert_allclose(*histories, rtol=0.01)
    assert histories[0][0] != histories[0][1]


def history(*accuracies: float) -> list[dict[str, float]]:
    return [{"val_accuracy": value} for value in accuracies]


@pytest.mark.parametrize(
    ("accuracies", "learning_rate", "ended"),
    [
        ([0.1], 1e-3, False),
        ([0.1, 0.5, 0.6, 0.7], 1e-3, False),
        ([0.1, 0.7, 0.6, 0.6], 1e-3, False),
        ([0.1, 0.7, 0.6, 0.6, 0.7], 5e-4, False),  # three without improvement
        ([0.9, 0.7, 0.6, 0.6, 0.7, 0.5], 5e-4, True),  # the head's epoch does not count
        ([0.1, 0.7, *[0.6] * 6], 2.5e-4, True),
        ([0.1, 0.7, *[0.6] * 3, 0.8, *[0.7] * 3], 2.5e-4, False),
        ([0.1, 0.7, *[0.6] * 30], 1e-4, True),  # the final learning rate
    ],
)
def test_plateaus_and_patience_follow_from_the_history(
    accuracies: list[float], learning_rate: float, ended: bool
) -> None:
    recipe = Recipe(data="", schedule="plateau", learning_rate=1e-3, final_learning_rate=1e-4, patience=4)
    assert plateau_learning_rate(history(*accuracies), recipe) == pytest.approx(learning_rate)
    assert should_stop_early(history(*accuracies), recipe) is ended
    assert not should_stop_early(history(*accuracies), Recipe(data=""))


@pytest.mark.parametrize(("warmup", "highest"), [(1.0, 100), (0.05, 5), (0.001, 1)])
def test_the_learning_rate_rises_for_the_warm_up_and_falls_to_the_end(warmup: float, highest: int) -> None:
    recipe = Recipe(data="", warmup=warmup, learning_rate=1e-3, final_learning_rate=1e-5)
    rates = [float(fit._learning_rate(recipe, steps=100, epochs=3, frozen=False)(step)) for step in range(301)]
    assert int(np.argmax(rates)) == highest
    assert rates[highest] == pytest.approx(1e-3)
    assert rates[0] == 0
    assert rates[300] == pytest.approx(1e-5)


@pytest.mark.slow
def test_patience_stops_a_run(drawn_data: Path, tmp_path: Path) -> None:
    """Train at a learning rate of almost 0, at which no epoch improves."""
    options = "--ema 0 --schedule plateau --learning-rate 1e-9 --final-learning-rate 1e-9 --patience 2"
    options += " --epochs 9 --head-epochs 1"
    assert main([*tiny_arguments(drawn_data), *options.split(), "--out", str(tmp_path)]) == 0
    rows = read_history(tmp_path)
    values = [row["val_accuracy"] for row in rows[1:]]
    assert len(rows) < 9
    assert int(np.argmax(values)) == len(values) - 3
    assert main(["--resume", "--out", str(tmp_path)]) == 0
    assert len(read_history(tmp_path)) == len(rows), "it had stopped"


def test_frozen_layers_keep_their_weights_in_a_resumed_run_too(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = f"--weights {tiny_run / 'model.keras'} --head-epochs 0 --epochs 2 --freeze block_2_pool"
    command = [*tiny_arguments(drawn_data), *options.split(), "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "on_epoch_begin", _interrupt_at(1))
        assert main(command) == 130
    assert main(["--resume", "--out", str(tmp_path / "run")]) == 0
    before, after = (
        load_model(path).get_layer(BACKBONE) for path in (tiny_run / "model.keras", checkpoint(tmp_path / "run", 2))
    )
    for number, same in ((1, True), (2, True), (3, False), (4, False)):
        for kind in ("conv", "norm"):  # moving statistics too
            name = f"block_{number}_{kind}"
            pairs = zip(before.get_layer(name).get_weights(), after.get_layer(name).get_weights(), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs) is same, name


def test_an_unknown_layer_to_freeze_is_refused(
    drawn_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*tiny_arguments(drawn_data), "--freeze", "block_9_pool", "--out", str(out)]) == 2
    assert "such as block_4_pool" in capfd.readouterr().err
    assert not out.exists()


def _fill_disk_at(epoch: int) -> Callable[[Path, list[np.ndarray]], None]:
    def write(path: Path, arrays: list[np.ndarray]) -> None:
        if path.name == checkpoint(path, epoch + 1, ".npz").name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_arrays(path, arrays)

    return write


def _interrupt_at(interrupted: int) -> Callable[[RunFolder, int], None]:
    original = RunFolder.on_epoch_begin

    def on_epoch_begin(self: RunFolder, epoch: int, logs: dict[str, float] | None = None) -> None:
        original(self, epoch, logs)
        if epoch == interrupted:
            raise KeyboardInterrupt

    return on_epoch_begin


def test_a_run_is_not_overwritten(tiny_run: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = (tiny_run / "model.keras").read_bytes()
    assert main([*tiny_arguments(drawn_data), "--out", str(tiny_run)]) == 2
    assert "--resume" in capfd.readouterr().err
    assert (tiny_run / "model.keras").read_bytes() == before


def test_a_damaged_recipe_is_refused(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_text("{")
    assert main(["--resume", "--out", str(tmp_path / "run")]) == 2
    assert "recipe.json" in capfd.readouterr().err


def test_two_workers_train_as_one_does(tiny_run: Path, tmp_path: Path) -> None:
    """Run each in a process of its own; the same batches must give the same losses and weights, in one folder."""
    odd_data = draw_data_set(tmp_path / "odd", train=9)  # 56 training faces: a last batch of 8
    options = " ".join(tiny_arguments(odd_data)) + " --epochs 3 --head-epochs 1 --mix 0.5 --balance weights --dropout 0"
    options += f" --ema 0.5 --teacher {tiny_run / 'model.keras'}"
    alone, together = tmp_path / "alone", tmp_path / "together"
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    configs = [json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}) for index in (0, 1)]
    workers = [start_training(options, together, TF_CONFIG=config) for config in configs]
    wait_for(start_training(options, alone), *workers)
    names = ("loss", "val_loss", "val_accuracy_of_average")
    expected, actual = read_losses(alone, *names), read_losses(together, *names)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)
    assert not any(layer.get("synchronized") for layer in backbone_config(together)), "so JAX can open it"
    one, two = (load_model(folder / "model.keras").get_weights() for folder in (alone, together))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-3)


def backbone_config(folder: Path) -> list[dict[str, object]]:
    return [layer.get_config() for layer in load_model(folder / "model.keras").get_layer("backbone").layers]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("localhost", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in sockets]


@pytest.mark.slow
def test_votes_and_seeds_in_one_command_and_resumed(
    drawn_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Train on votes with two seeds, lose the second run, and resume: it starts again by the first one's recipe."""
    votes = [",".join(["name", *EMOTIONS])]
    for label, emotion in enumerate(EMOTIONS):
        counts = ",".join("8" if i == label else "1" if i == (label + 1) % 7 else "0" for i in range(7))
        votes += [f"{file.stem},{counts}" for file in (drawn_data / "train" / emotion).iterdir()]
    (tmp_path / "votes.csv").write_text("\n".join(votes))
    options = f"--soft-labels {tmp_path / 'votes.csv'} --balance sampling --epochs 2 --head-epochs 0 --select-by loss"
    arguments = ["--out", str(tmp_path / "run"), "--seeds", "3", "1"]
    assert main([*tiny_arguments(drawn_data), *options.split(), *arguments]) == 0
    assert "\nstandard deviation  2 " in capfd.readouterr().out
    summary = {f"curves{suffix}" for suffix in (".png", ".svg", ".pdf")} | {"seeds.md", "seeds.tex", "seeds.csv"}
    assert {file.name for file in (tmp_path / "run-seeds").iterdir()} == summary
    first, second = (tmp_path / f"run-seed{seed}" for seed in (3, 1))
    for folder, seed in ((first, 3), (second, 1)):
        assert read_recipe(folder).seed == seed
        rows = read_history(folder)
        assert {"val_accuracy", "val_recall", "val_loss", "val_recall_of_average"} <= set(rows[0])
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["votes"]["clear_faces"] == 21
        assert metrics["votes"]["accuracy"] in [pytest.approx(row["val_accuracy_of_average"]) for row in rows]
    assert read_history(first)[-1]["loss"] != read_history(second)[-1]["loss"]
    shutil.rmtree(second)
    assert main(["--resume", *arguments]) == 0
    assert read_recipe(second).seed == 1
    assert read_recipe(second).soft_labels == read_recipe(first).soft_labels
    assert len(read_history(second)) == 2


@pytest.mark.slow
def test_a_run_that_diverges_ends_at_once_and_keeps_its_best_model(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Give infinite pixels in the second epoch, and a validation accuracy of 0 in the first, which is kept too."""
    original = Batches.__getitem__

    def get_item(self: Batches, index: int) -> tuple[np.ndarray, ...]:
        inputs, targets = original(self, index)
        return inputs * (np.inf if self.epoch else 1), targets

    monkeypatch.setattr(Batches, "__getitem__", get_item)
    zero = {"val_accuracy": 0.0, "val_recall": 0.0, "val_loss": 9.0}
    monkeypatch.setattr(Validation, "measure", lambda self, probabilities: zero)
    options = "--ema 0 --mix 0 --epochs 3 --head-epochs 0 --learning-rate 0.02"
    assert main([*tiny_arguments(drawn_data), *options.split(), "--out", str(tmp_path / "run")]) == 2
    error = capfd.readouterr().err.strip().splitlines()[-1]
    assert "error: expected a finite loss, found none in epoch 2: training diverged at --learning-rate 0.02" in error
    assert f"the best epoch so far is in {tmp_path / 'run' / 'model.keras'}" in error
    assert len(read_history(tmp_path / "run")) == 1
    weights = load_model(tmp_path / "run" / "model.keras").get_weights()
    assert all(np.isfinite(array).all() for array in weights)

"""Training itself, small: it learns, it leaves a whole run folder, and it goes on exactly where it was killed."""

from __future__ import annotations

import contextlib
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
from tests.conftest import ROOT, TINY_EPOCHS, draw_data_set, tiny_arguments
from train.__main__ import main
from train.fit import RunFolder, plateau_rate, should_stop_early
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


def test_a_run_killed_at_any_moment_goes_on_where_it_was(tiny_run: Path, drawn_data: Path, tmp_path: Path) -> None:
    """SIGKILL, which nobody can catch; what was half-written does not count."""
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


def test_the_backends_learn_the_same(drawn_data: Path, tiny_run: Path, tmp_path: Path) -> None:
    """Mixing, class weights, a teacher, averages, an epoch of each phase: TensorFlow and JAX, from the same weights."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed here")
    given = tiny_run / "model.keras"
    options = f"--epochs 2 --head-epochs 1 --mix 0.5 --balance weights --dropout 0 --average 0.5 --weights {given}"
    histories = []
    for backend in ("tensorflow", "jax"):
        folder = tmp_path / backend
        command = [sys.executable, "-m", "train", *tiny_arguments(drawn_data), *options.split()]
        command += ["--teacher", str(given), "--out", str(folder)]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        histories.append([[row[name] for name in ("loss", "val_loss", "val_accuracy")] for row in read_history(folder)])
    np.testing.assert_allclose(*histories, rtol=0.01)
    assert histories[0][0] != histories[0][1]


def history(*accuracies: float) -> list[dict[str, float]]:
    return [{"val_accuracy": value} for value in accuracies]


@pytest.mark.parametrize(
    ("accuracies", "rate", "ended"),
    [
        ([0.1], 1e-3, False),
        ([0.1, 0.5, 0.6, 0.7], 1e-3, False),
        ([0.1, 0.7, 0.6, 0.6], 1e-3, False),
        ([0.1, 0.7, 0.6, 0.6, 0.7], 5e-4, False),  # three that were no better
        ([0.9, 0.7, 0.6, 0.6, 0.7, 0.5], 5e-4, True),  # the head's epoch does not count
        ([0.1, 0.7, *[0.6] * 6], 2.5e-4, True),
        ([0.1, 0.7, *[0.6] * 3, 0.8, *[0.7] * 3], 2.5e-4, False),
        ([0.1, 0.7, *[0.6] * 30], 1e-4, True),  # the final rate
    ],
)
def test_plateaus_and_patience_follow_from_the_history(accuracies: list[float], rate: float, ended: bool) -> None:
    recipe = Recipe(data="", schedule="plateau", rate=1e-3, final_rate=1e-4, patience=4)
    assert plateau_rate(history(*accuracies), recipe) == pytest.approx(rate)
    assert should_stop_early(history(*accuracies), recipe) is ended
    assert not should_stop_early(history(*accuracies), Recipe(data=""))


def test_a_plateau_halves_the_rate_and_patience_ends_the_run(drawn_data: Path, tmp_path: Path) -> None:
    """At a rate of nothing no epoch is better than another."""
    options = "--average 0 --schedule plateau --rate 1e-9 --final-rate 1e-9 --patience 2 --epochs 9 --head-epochs 1"
    assert main([*tiny_arguments(drawn_data), *options.split(), "--out", str(tmp_path)]) == 0
    rows = read_history(tmp_path)
    values = [row["val_accuracy"] for row in rows[1:]]
    assert len(rows) < 9
    assert int(np.argmax(values)) == len(values) - 3
    assert main(["--resume", "--out", str(tmp_path)]) == 0
    assert len(read_history(tmp_path)) == len(rows), "it had ended"


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


def test_a_damaged_recipe_is_refused(tiny_run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run" / "recipe.json").write_text("{")
    assert main(["--resume", "--out", str(tmp_path / "run")]) == 2
    assert "recipe.json" in capfd.readouterr().err


def test_two_workers_learn_what_one_does(tiny_run: Path, tmp_path: Path) -> None:
    """Each in a process of its own, by TF_CONFIG; the same batches, so the same losses and weights; one run folder."""
    odd_data = draw_data_set(tmp_path / "odd", train=22)  # 154 faces: a last batch of 10
    teacher = tiny_run / "model.keras"
    options = f"--epochs 3 --head-epochs 1 --mix 0.5 --balance weights --dropout 0 --average 0.5 --teacher {teacher}"
    command = [sys.executable, "-m", "train", *tiny_arguments(odd_data), *options.split(), "--out"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    subprocess.run([*command, str(alone)], cwd=ROOT, check=True, capture_output=True, timeout=300)
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    processes = []
    for index in (0, 1):
        config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        environment = {**os.environ, "TF_CONFIG": config}
        processes.append(
            subprocess.Popen([*command, str(together)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        )
    for process in processes:
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
    ours, theirs = (
        [[row[name] for name in ("loss", "val_loss", "val_accuracy_of_average")] for row in read_history(folder)]
        for folder in (alone, together)
    )
    np.testing.assert_allclose(theirs, ours, rtol=1e-3)
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

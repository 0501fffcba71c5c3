"""Test means of the weights of several models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train import adjust, votes
from train.adjust import parse_offsets, shift_logits
from train.average import candidates, main, mean_recipe, weighted_mean
from train.data import load
from train.predict import predict_keras
from train.recipe import Recipe, describe_training, read_recipe, recipe_of
from train.runs import SHIPPED, input_size, load_model


def test_the_mean_is_by_shares_and_stays_float32() -> None:
    values = ([1, 2], [[4]]), ([5, 6], [[8]])
    mean = weighted_mean([[np.array(value, dtype=np.float32) for value in own] for own in values], [3, 1])
    assert [array.tolist() for array in mean] == [[2, 3], [[5]]]
    assert {array.dtype for array in mean} == {np.dtype(np.float32)}


def test_the_table_has_each_model_alone_and_the_chosen_mean_once() -> None:
    assert candidates(2, None) == [(1, 0), (0, 1), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75)]
    assert candidates(2, [3, 7])[-1] == [3, 7]
    assert len(candidates(2, [3, 1])) == 5
    assert candidates(3, None) == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]


def test_the_recipe_of_a_mean_names_all_that_it_learned_from() -> None:
    by_votes = Recipe("faces", soft_labels="ferplus.csv", start=("ImageNet (research)",))
    own = Recipe("mine", data_set="own pictures", terms="private")
    mean = mean_recipe([Path("a.keras"), Path("b.keras")], [by_votes, own], [1, 3], 80)
    assert (mean.size, mean.data_set) == (80, "own pictures")
    assert mean.start == ("ImageNet (research)", by_votes.training())
    assert "1 a.keras and 3 b.keras" in mean.weights
    assert mean.validation == "held-out"
    public = replace(own, validation="public")  # its training faces include the others' held-out ones
    assert mean_recipe([Path("a.keras"), Path("b.keras")], [by_votes, public], [3, 1], 80).validation == "mixed"


def test_the_written_model_is_the_mean(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, other, out = tiny_run / "model.keras", tmp_path / "other.keras", tmp_path / "mean.keras"
    common = ["--data", str(drawn_data)]
    assert adjust.main(["--model", str(model), *common, "--offsets", "neutral=-2", "-o", str(other)]) == 0
    capsys.readouterr()
    models = ["--models", str(model), str(other)]
    assert main([*models, *common, "--shares", "3", "1", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"2: {other}" in printed
    assert "21 faces of held-out, against labels" in printed
    assert printed.count(" : ") == 5
    images = load(drawn_data)["public"].images
    before, after = (predict_keras(load_model(path), images) for path in (model, out))
    np.testing.assert_allclose(after, shift_logits(before, parse_offsets("neutral=-0.5")), atol=1e-5)
    recipe = recipe_of(out)
    assert recipe
    assert recipe == replace(read_recipe(tiny_run), weights=recipe.weights)
    assert describe_training(out) == describe_training(model)


def test_a_mean_may_have_another_input_size(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = str(tiny_run / "model.keras"), tmp_path / "mean.keras"
    wide = ["--models", model, model, "--data", str(drawn_data), "--shares", "1", "1", "--size", "48"]
    assert main([*wide, "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"1: {model}, 32 pixels" in printed
    assert "means: 48 pixels" in printed
    rows = {line.partition("  ")[0]: line.split()[-3:] for line in printed.splitlines() if " : " in line}
    assert rows["1 : 0"] == rows["0 : 1"], "the model as it is"
    assert input_size(out) == 48
    recipe = recipe_of(out)
    assert recipe
    assert recipe.size == 48


def test_votes_on_other_faces_are_refused(
    tiny_run: Path,
    drawn_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """FER+ names faces by row; the folders of Kaggle have other numbers in names of the same form."""
    monkeypatch.setattr(votes, "LEAST_COMPARED", 10)
    rows = [f"{Path(name).stem},0,9,0,0,0,0,0" for name in load(drawn_data)["train"].names]
    (tmp_path / "votes.csv").write_text("\n".join(["name,neutral,happy,surprise,sad,angry,disgust,fear", *rows]))
    model = str(tiny_run / "model.keras")
    common = ["--models", model, model, "--data", str(drawn_data)]
    assert main([*common, "--soft-labels", str(tmp_path / "votes.csv")]) == 2
    assert "names or rows are of other faces" in capsys.readouterr().err


def test_wrong_models_and_shares_are_refused(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_run / "model.keras")
    for wrong in (
        ["--models", model],
        ["--models", model, model, "--shares", "1"],
        ["--models", model, model, "--shares", "1", "0"],
        ["--models", model, model, "-o", str(tmp_path / "mean.keras")],
    ):
        with pytest.raises(SystemExit):
            main(wrong)
        assert capsys.readouterr().err.startswith("error: ")
    common = ["--models", model, str(SHIPPED), "--data", str(drawn_data), "--shares", "1", "1"]
    assert main([*common, "-o", model]) == 2
    assert "expected -o with a .keras file other than the models" in capsys.readouterr().err
    assert main([*common, "-o", str(tmp_path / "mean.keras")]) == 2
    assert "found another; see --arch and --width" in capsys.readouterr().err
    assert not (tmp_path / "mean.keras").exists()

"""Test recipes: reading old ones, and what model cards say of them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from edge.backend import SHIPPED
from edge.errors import DataError, ModelError, OutputError, UsageError
from train.data import FaceSet, fingerprint
from train.options import Options, parse_args
from train.plan import check_files, completed, divided, planned_runs
from train.recipe import Recipe, describe_training, read_recipe, recipe_of

RECIPE = Recipe(data="faces", soft_labels="votes.csv", seed=4)


def write(path: Path, **changes: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**asdict(RECIPE), **changes}))


def test_a_recipe_is_read_from_a_run_or_beside_a_published_model(tmp_path: Path) -> None:
    assert recipe_of(tmp_path / "model.keras") is None
    write(tmp_path / "recipe.json")
    write(tmp_path / "votes.recipe.json", seed=5)
    assert recipe_of(tmp_path / "model.keras") == read_recipe(tmp_path) == RECIPE
    assert recipe_of(tmp_path / "votes.keras") == replace(RECIPE, seed=5)


def test_cards_say_what_the_epoch_was_chosen_on(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    assert describe_training(model) == "FER-2013, split Training; epoch chosen on PublicTest", "as shipped before"
    write(tmp_path / "recipe.json")
    assert "votes as targets; epoch chosen on a held-out tenth" in describe_training(model)
    write(tmp_path / "recipe.json", votes="posterior", validation="public")
    assert describe_training(model) == "FER-2013, split Training; epoch chosen on PublicTest"


def test_cards_say_what_the_start_had_learned() -> None:
    start = RECIPE.training()
    assert start == "FER-2013, with annotators' votes as targets (pictures for research use)"
    labels = Recipe(data="faces", start=(start,))
    assert labels.description().endswith(f"; started from {start}"), "extra annotation, which a comparison must know"
    assert labels.licence() == Recipe(data="faces").licence() == RECIPE.licence(), "the same pictures, the same terms"
    own = replace(labels, data_set="mine", terms="licence not stated")
    assert own.licence() == f"file: its author's to state; trained on mine (licence not stated), {start}"


@pytest.mark.parametrize("split", [None, "held-out"])
def test_recipes_of_old_runs_are_read(tmp_path: Path, split: str | None) -> None:
    old = {"data": "faces", "batch": 32, "rate": 1e-4, "final_rate": 1e-6, "average": 0.8, "symmetric": 0.1}
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    if split:
        (tmp_path / "metrics.json").write_text(json.dumps({"split": split}))
    recipe = read_recipe(tmp_path)
    assert (recipe.batch_size, recipe.learning_rate, recipe.final_learning_rate) == (32, 1e-4, 1e-6)
    assert (recipe.ema, recipe.reverse_ce, recipe.balance_power) == (0.8, 0.1, 1.0)
    assert recipe.validation == (split or "public")


def test_a_recipe_with_unknown_fields_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "recipe.json", moon="full")
    with pytest.raises(ModelError, match="unknown fields moon"):
        read_recipe(tmp_path)


@pytest.mark.parametrize(("select_by", "better"), [("accuracy", 1), ("recall", 0), ("loss", 1)])
def test_the_measure_that_epochs_are_chosen_by(select_by: str, better: int) -> None:
    recipe = replace(RECIPE, select_by=select_by, ema=0.5)
    rows = [
        {"val_accuracy_of_average": 0.6, "val_recall_of_average": 0.7, "val_loss_of_average": 0.9},
        {"val_accuracy_of_average": 0.7, "val_recall_of_average": 0.6, "val_loss_of_average": 0.8},
    ]
    assert max(rows, key=recipe.selection_score) is rows[better]


def test_a_run_per_seed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = Options(RECIPE, out, seeds=(0, 7))
    runs = planned_runs(options, chief=True)
    assert {folder.name: recipe.seed for folder, recipe in runs.items()} == {"run-seed0": 0, "run-seed7": 7}
    write(tmp_path / "run-seed7" / "recipe.json", seed=7, mix=0.2)
    with pytest.raises(OutputError, match="run-seed7 already holds a run"):
        planned_runs(options, chief=True)
    resumed = planned_runs(replace(options, resume=True), chief=True)
    assert {folder.name: (recipe.seed, recipe.mix) for folder, recipe in resumed.items()} == {
        "run-seed0": (0, 0.2),
        "run-seed7": (7, 0.2),
    }
    with pytest.raises(UsageError, match="--epochs, --teacher would change it"):
        planned_runs(parse_args(None, f"--resume --epochs 18 --teacher a.tflite --out {out}".split()), chief=True)
    with pytest.raises(ModelError, match=r"recipe\.json"):
        planned_runs(Options(RECIPE, out, resume=True), chief=True)
    write(out / "fold-1" / "recipe.json", validation="folds")
    assert planned_runs(Options(RECIPE, out, resume=True), chief=True)[out].validation == "folds", "amid its folds"


def test_arguments_become_a_recipe(tmp_path: Path) -> None:
    arguments = "--soft-labels v.csv --size 96 --learning-rate 3e-4 --final-learning-rate 3e-6 --mix 0.2 --ema 0.9"
    arguments += " --label-smoothing 0 --weights m.keras --teacher a.keras b.tflite --seeds 1 0 1 --out runs/x"
    options = parse_args(None, arguments.split())
    assert options.recipe.teachers == ("a.keras", "b.tflite")
    assert options.recipe.learns_votes
    assert options.recipe.validation == "auto"
    assert options.seeds == (1, 0)
    assert {"learning_rate", "mix", "teachers", "size"} <= set(options.given), "96 is the default, but it is given"
    assert "batch_size" not in options.given


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", (80, 18, 8)), ("--size 96 --batch-size 64 --head-epochs 1", (96, 1, 64)), ("--epochs 18", (80, 1, 8))],
)
def test_an_option_is_obeyed_also_with_its_default_value(
    arguments: str, expected: tuple[int, ...], tmp_path: Path
) -> None:
    """Start from a model of 80 pixels, with few faces: they decide what is not given."""
    write(tmp_path / "m.recipe.json", size=80)
    options = parse_args(None, ["--weights", str(tmp_path / "m.keras"), *arguments.split()])
    faces = FaceSet(np.zeros((14, 48, 48), np.uint8), np.arange(14) % 7, tuple(map(str, range(14))), "train")
    recipe = completed(options.recipe, {"train": faces}, options.given, workers=1)
    assert (recipe.size, recipe.head_epochs, recipe.batch_size) == expected


def test_a_model_without_a_recipe_decides_the_size(tmp_path: Path) -> None:
    weights = tmp_path / "m.keras"
    config = {"config": {"layers": [{"config": {"batch_shape": [None, 112, 112, 3]}}]}}
    with zipfile.ZipFile(weights, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    faces = FaceSet(np.zeros((700, 48, 48), np.uint8), np.arange(700) % 7, tuple(map(str, range(700))), "train")
    recipe = Recipe(data="", weights=str(weights))
    assert completed(recipe, {"train": faces}, {}, workers=1).size == 112
    assert completed(recipe, {"train": faces}, {"size": "--size"}, workers=1).size == recipe.size
    weights.write_bytes(b"no model")
    assert completed(recipe, {"train": faces}, {}, workers=1).size == recipe.size, "refused where it is opened"


@pytest.mark.parametrize("name", ["me.jpg", "me.h5", "me.keras"])
@pytest.mark.parametrize("option", ["weights", "teachers", "soft_labels"])
def test_files_of_another_kind_are_refused_before_the_work(option: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(b"\xff\xd8\xff no model")
    with pytest.raises((ModelError, DataError), match=name):
        check_files(replace(Recipe(data=""), **{option: (str(file),) if option == "teachers" else str(file)}))


@pytest.mark.parametrize(
    "arguments",
    [
        *("--seeds 1 2 --seed 3", "--seeds 1 2 --seed 0", "--votes posterior", "--votes labels", "--head-epochs 30"),
        *("--teacher-weight 0.5", "--temperature 1"),
    ],
)
def test_contradictions_are_refused(arguments: str) -> None:
    with pytest.raises(SystemExit):
        parse_args(None, arguments.split())


def test_rates_never_rise_at_the_end() -> None:
    low = parse_args(None, ["--learning-rate", "1e-5"]).recipe
    assert (low.learning_rate, low.final_learning_rate) == (1e-5, 1e-5), "the default of the last one is higher"
    with pytest.raises(SystemExit):
        parse_args(None, ["--learning-rate", "1e-5", "--final-learning-rate", "2e-5"])


def own_faces(count: int = 700) -> FaceSet:
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 48), dtype=np.uint8)
    return FaceSet(images, np.arange(count) % 7, tuple(map(str, range(count))), "train")


def test_cards_name_teachers_and_weights_and_no_training_twice(tmp_path: Path) -> None:
    write(tmp_path / "m.recipe.json", start=[RECIPE.training()])
    weights, teacher = str(tmp_path / "m.keras"), str(SHIPPED)
    recipe = Recipe(str(tmp_path), weights=weights, teachers=(teacher, teacher))
    recipe = completed(recipe, {"train": own_faces()}, {}, workers=1)
    assert recipe.start == (RECIPE.training(),), "a chain of runs on the same data"
    assert recipe.taught_by == (RECIPE.training(),)
    assert recipe.description().endswith(f"; taught by models of {RECIPE.training()}")
    from_file = completed(Recipe(str(tmp_path), weights="faces.h5"), {"train": own_faces()}, {}, workers=1)
    assert from_file.start == ("faces.h5 (licence not stated)",)
    assert "faces.h5 (licence not stated)" in from_file.licence()


def test_a_start_that_knows_held_out_faces_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = own_faces()
    recipe = completed(Recipe(str(tmp_path), weights="none"), {"train": faces}, {}, workers=1)
    own = {"data_set": recipe.data_set, "soft_labels": "", "validation": "held-out"}
    for changes, known in (
        ({"faces_sha256": recipe.faces_sha256}, False),
        ({"faces_sha256": fingerprint(own_faces(693))}, True),
        ({"faces_sha256": recipe.faces_sha256, "validation": "folds"}, True),
        ({"data_set": "others"}, False),
        ({"faces_sha256": recipe.faces_sha256, "start": ["mine (licence not stated)"]}, True),
    ):
        write(tmp_path / "m.recipe.json", **{**own, **changes})
        completed(replace(recipe, weights=str(tmp_path / "m.keras")), {"train": faces}, {}, workers=1)
        assert ("may have been trained on faces that are held out here" in capsys.readouterr().out) == known


def test_a_run_does_not_go_on_with_other_faces(tmp_path: Path) -> None:
    faces = own_faces()
    recipe = completed(Recipe(str(tmp_path), weights="none"), {"train": faces}, {}, workers=1)
    reversed_order = faces.take(np.arange(len(faces))[::-1])
    assert len(divided({"train": reversed_order}, recipe)[0]) < len(faces)
    with pytest.raises(DataError, match="expected the training faces of the run"):
        divided({"train": own_faces(693)}, recipe)


def test_an_adjusted_model_does_not_claim_the_accuracy_of_the_run(tmp_path: Path) -> None:
    write(tmp_path / "recipe.json", validation="folds")
    metrics = {"model": "runs/mine/model.keras", "accuracy": 0.643, "faces": 70}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert describe_training(tmp_path / "model.keras").endswith("folds: 64.3% of 70")
    assert describe_training(tmp_path / "adjusted.keras").endswith("folds")

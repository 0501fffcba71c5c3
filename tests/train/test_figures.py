"""Test figures and tables of runs and evaluations, as papers need them."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.labels import EMOTIONS
from tests.conftest import ROOT
from train import figures, plots, results, tables
from train.metrics import report
from train.recipe import Recipe
from train.tables import Number, Table

RECIPE = Recipe(data="data/fer2013", ema=0.5)


def history(epochs: int, seed: int = 0) -> list[dict[str, float]]:
    values = np.random.default_rng(seed).random((epochs, 6))
    names = [f"{split}{name}" for split in ("", "val_") for name in ("accuracy", "loss")]
    names += ["val_accuracy_of_average", "val_loss_of_average"]
    return [{"epoch": i + 1.0, **dict(zip(names, row, strict=True))} for i, row in enumerate(values.tolist())]


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save time: the other formats are tested with the report of the benchmarks."""
    monkeypatch.setattr(figures, "FORMATS", {".svg": figures.FORMATS[".svg"]})


def texts(path: Path) -> list[str]:
    return re.findall(r">([^<]+)</(?:text|tspan)>", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("epochs", [1, 2, 3, 200])
def test_epochs_are_whole_numbers(epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(figures, "render", lambda figure: drawn.append(figure) or {})
    plots.curves(history(epochs), RECIPE, "mine", tmp_path / "curves")
    for axes in drawn[0].axes:
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert 1 <= len(ticks) <= 7
        assert all(tick == round(tick) and 0 <= tick <= epochs for tick in ticks)


@pytest.fixture
def metrics() -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return labels, probabilities and metrics of 70 faces, of which one is wrong, by a file of an awkward name."""
    labels = np.repeat(np.arange(7), 10)
    predicted = labels.copy()
    predicted[0] = 3
    probabilities = np.eye(7, dtype=np.float32)[predicted] * 0.93 + 0.01
    named = {"model": "my_runs/50%_$a$.tflite", "data_set": "FER-2013", "split": "public"}
    return labels, probabilities, named | report(labels, probabilities)


@pytest.mark.usefixtures("svg_alone")
def test_figures_say_what_they_show(metrics: Any, tmp_path: Path) -> None:
    labels, probabilities, result = metrics
    plots.confusion(result, tmp_path / "confusion")
    plots.roc(labels, probabilities, result, tmp_path / "roc")
    plots.reliability(labels, probabilities, result, tmp_path / "calibration")
    for name in ("confusion", "roc", "calibration"):
        assert "50%_$a$.tflite on FER-2013, PublicTest, 70 faces" in texts(tmp_path / f"{name}.svg")
    cells = texts(tmp_path / "confusion.svg")
    assert (cells.count("90%"), cells.count("9"), cells.count("100%"), cells.count("10")) == (1, 1, 6, 6)
    assert {"false positive rate", "true positive rate"} <= set(texts(tmp_path / "roc.svg"))


@pytest.mark.usefixtures("svg_alone")
def test_seeds_end_with_mean_and_deviation(metrics: Any, tmp_path: Path) -> None:
    result = metrics[2]
    runs = {seed: result | {"accuracy": accuracy} for seed, accuracy in ((0, 0.6), (1, 0.7), (7, 0.8))}
    tables.write_tables(tmp_path, {"seeds": results.seeds(runs)})
    rows = {row["seed"]: row for row in csv.DictReader((tmp_path / "seeds.csv").open())}
    assert [*rows] == ["0", "1", "7", "mean", "standard deviation"]
    assert (rows["mean"]["n"], float(rows["mean"]["accuracy"])) == ("3", pytest.approx(0.7))
    assert float(rows["standard deviation"]["accuracy"]) == pytest.approx(0.1), "of a sample"
    plots.seed_curves({seed: history(2 + seed, seed) for seed in runs}, RECIPE, "mine", tmp_path / "curves")
    assert {"mean of validation, n = 3 seeds", "± standard deviation"} <= set(texts(tmp_path / "curves.svg"))


def test_tables_of_an_evaluation(metrics: Any) -> None:
    built = results.tables(metrics[2])
    (row,) = csv.DictReader(tables.comma_separated(built["results"]).splitlines())
    assert row["model"] == "50%_$a$.tflite"
    low, value, high = (float(row[f"accuracy{end}"]) for end in (" low", "", " high"))
    assert low < value < high
    assert value == pytest.approx(69 / 70)
    assert r"\texttt{50\%\_\$a\$.tflite} & -- & FER-2013 & PublicTest" in tables.latex(built["results"])
    assert [row[0] for row in built["classes"].rows] == list(EMOTIONS)


@pytest.mark.parametrize(
    ("cell", "latex", "markdown"),
    [
        ("`a_b%c&d#e.tflite`", r"\texttt{a\_b\%c\&d\#e.tflite}", "`a_b%c&d#e.tflite`"),
        (
            "a|{~^\\<>",
            r"a\textbar{}\{\textasciitilde{}\textasciicircum{}\textbackslash{}\textless{}\textgreater{}",
            None,
        ),
        (Number(None), "--", "-"),
        (Number(0.5, ".1%", (0.4, 0.6)), r"50.0\% (40.0\% to 60.0\%)", "50.0% (40.0% to 60.0%)"),
    ],
)
def test_cells_are_escaped(cell: tables.Cell, latex: str, markdown: str | None) -> None:
    table = Table(["x"], [[cell]])
    assert f"\\midrule\n{latex} \\\\\n\\bottomrule" in tables.latex(table)
    assert tables.markdown(table).splitlines()[-1] == f"| {markdown or str(cell).replace('|', chr(92) + '|')} |"


def test_the_citation_is_of_this_version() -> None:
    citation = dict(re.findall(r"(?m)^([\w-]+): *(.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8")))
    (version,) = re.findall(r'(?m)^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "what the format demands"

"""`python -m benchmarks` as a person runs it, and what its report says of figures that are known."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.measure import models
from benchmarks.measure.accuracy import judge
from benchmarks.measure.worker import PEAK, open_worker
from benchmarks.report import content, page, plots
from benchmarks.report.blocks import Heading, Picture, Table, Text, markdown, plain
from edge import host
from edge.backend import SHIPPED
from edge.errors import ModelError
from tests.conftest import ROOT
from train.data import load

FAST = ["--rounds", "10", "--frames", "10", "--passes", "2", "--threads", "1", "--resolutions", "320x240"]


@pytest.fixture(scope="module")
def measured(
    exported: dict[str, Path], drawn_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The folder and the results of a whole run: three files of the tiny model, and the shipped one, on drawn faces."""
    out = tmp_path_factory.mktemp("report")
    names = ["emotion_int8.tflite", "emotion_float32.onnx", "emotion_float32.tflite"]
    files = ["--models", str(SHIPPED), *(str(exported[name]) for name in names)]
    assert main([*files, "--data", str(drawn_data), "--out", str(out), *FAST, "--sustained", "0.02"]) == 0
    return out, json.loads((out / "results.json").read_text())


def test_speed_alone_where_there_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "report", *FAST]) == 0
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    (model,) = results["models"]
    times = model["latency_ms"]["1"]
    assert model["size_bytes"] == SHIPPED.stat().st_size
    assert 0 < times["p50_ci95"][0] <= times["p50"] <= times["p50_ci95"][1]
    assert times["p50"] <= times["p95"]
    assert times["p99"] is None, "400 inferences do not tell"
    assert times["runs"] == 400
    assert 0 < model["load_ms"] < model["cold_ms"]
    assert model["rss_mb_range"][0] <= model["rss_mb"] <= model["rss_mb_range"][1]
    assert model["rss_empty_mb"] < model["rss_mb"]
    assert "accuracy" not in model
    assert [(cell["resolution"], cell["scene"]) for cell in results["pipeline"]] == [([320, 240], 1), ([320, 240], 4)]
    text = (tmp_path / "report" / "report.md").read_text()
    assert "speed alone" in text
    assert "McNemar" not in text


def test_models_side_by_side_on_the_same_faces(
    measured: tuple[Path, dict[str, Any]], exported: dict[str, Path]
) -> None:
    """Each is compared with the float32 file of its own Keras model and format, whatever their order, or with none."""
    found = {model["file"]: model for model in measured[1]["models"]}
    names = ["emotion_int8.tflite", "emotion_float32.onnx", "emotion_float32.tflite"]
    int8, onnx, float32 = (found[str(exported[name])] for name in names)
    shipped = next(model for model in found.values() if model not in (int8, onnx, float32))
    assert int8["base"] == str(exported["emotion_float32.tflite"])
    assert onnx["base"] is float32["base"] is shipped["base"] is None
    assert int8["agreement_with_float"] > 0.9
    assert onnx["accuracy"] == float32["accuracy"] > 0.8
    assert "agreement_with_float" not in shipped
    assert int8["latency_ms"]["1"]["times_as_fast_as_base"]["value"] > 0
    assert len(int8["predictions"]) == 28
    assert int8["macs"] == onnx["macs"]
    assert shipped["macs"] == 80_912_768, "as Keras' own MobileNetV2 has at 112 pixels"
    assert shipped["name"] != int8["name"], "two files of one name go by their paths"


def test_the_loop_tells_its_limit_and_how_it_does_live(measured: tuple[Path, dict[str, Any]]) -> None:
    cell = measured[1]["pipeline"][0]
    assert cell["fps"] == pytest.approx(1000 / cell["ms"])
    assert cell["limit_ratio"]["value"] == pytest.approx(cell["ms"] / cell["limit_ms"])
    assert 0.5 * cell["ms"] < sum(cell["stages_ms"].values()) < cell["ms"]
    assert cell["fps_ci95"] is None, "two passes do not tell"
    live = cell["live"]
    assert live["frames"] + live["dropped"] == 10
    assert live["fps"] <= live["camera_fps"]
    assert live["faces_a_frame"] == 1
    assert live["age_ms"]["p50"] > 0
    assert live["age_ms"]["p95"] is None, "ten frames do not tell"
    assert live["cores_used"] > 0
    assert cell["times_as_fast_as_peer"] is None


def test_the_curve_of_minutes_has_all_its_points(measured: tuple[Path, dict[str, Any]]) -> None:
    curve = measured[1]["sustained"]
    assert len(curve["points"]) == 60
    assert all(point["fps"] > 0 for point in curve["points"])
    assert [point["at_s"] for point in curve["points"]] == sorted(point["at_s"] for point in curve["points"])
    assert (curve["resolution"], curve["scene"]) == ([320, 240], 1)
    assert curve["frames"] >= 60


def test_the_page_needs_nothing_else(measured: tuple[Path, dict[str, Any]]) -> None:
    text = (measured[0] / "report.html").read_text()
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text
    assert "<script" not in text
    assert "Accuracy against latency" in text
    svgs = [part[: part.index("</svg>") + 6] for part in text.split("<figure>")[1:]]
    assert len(svgs) == 6
    for svg in svgs:
        ET.fromstring(svg.replace("xlink:", ""))


def test_without_matplotlib_there_are_no_pictures_but_a_word(
    measured: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert plots.draw(measured[1]) == {}
    assert "matplotlib is not installed" in markdown(content.blocks(measured[1], {}))


def test_a_slower_and_worse_file_is_called_so(measured: tuple[Path, dict[str, Any]]) -> None:
    results = copy.deepcopy(measured[1])
    model = next(model for model in results["models"] if model["base"])
    model["latency_ms"]["1"]["times_as_fast_as_base"] = {"value": 0.5, "ci95": [0.4, 0.6]}
    model["mcnemar_p"] = 0.001
    model["recall_change"]["fear"] = {"points": -40.0, "mcnemar_p": 0.02}
    text = markdown(content.blocks(results, {}))
    assert "**slower here, 2.00 times its time**" in text
    assert "more than chance explains, McNemar's p = 0.001" in text
    assert "Hurt most: fear, recall -40.0 points (within chance, McNemar's p = 0.02)" in text, "the worst of seven"
    model["latency_ms"]["1"]["times_as_fast_as_base"] = {"value": 0.99, "ci95": [0.97, 1.01]}
    for change in model["recall_change"].values():
        change["points"] = 0.0
    text = markdown(content.blocks(results, {}))
    assert "no difference in speed shown (0.97 to 1.01 times as fast)" in text
    assert "No emotion lost recall" in text


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("host", "governor"), "powersave", "governor is `powersave`, not `performance`"),
        (("host", "used_by_others"), 0.4, "Others used 40% of the cores"),
        (("host", "throttled"), ["under-voltage"], "held back: under-voltage"),
        (("models", 0, "latency_ms", "1", "warm_up", "first_to_rest"), 1.2, "1.20 times the rest: it was not warm"),
    ],
)
def test_what_makes_figures_doubtful_is_said(
    measured: tuple[Path, dict[str, Any]], path: tuple[Any, ...], value: object, words: str
) -> None:
    results = copy.deepcopy(measured[1])
    place = results
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert words in markdown(content.blocks(results, {}))


def test_the_fastest_of_the_truest_is_to_be_deployed() -> None:
    def model(accuracy: float, p50: float) -> dict[str, Any]:
        return {"accuracy_on_card": accuracy, "latency_ms": {"1": {"p50": p50}}}

    rows = [model(0.700, 2.0), model(0.695, 1.0), model(0.60, 0.1), model(0.698, 1.5)]
    assert models.to_deploy(rows) == 1
    rows[1]["accuracy"] = 0.5  # measured here: the card was too kind
    assert models.to_deploy(rows) == 3


def test_what_quantization_changed_is_told_by_emotion(drawn_data: Path) -> None:
    faces = load(drawn_data, ("public",))["public"]
    base = np.eye(7, dtype=np.float32)[faces.labels]
    mine = base.copy()
    mine[faces.labels == 2] = np.eye(7, dtype=np.float32)[5]  # all fear is called sad
    found = judge(faces, mine, base)
    assert found["recall_change"]["fear"] == {"points": -100.0, "mcnemar_p": pytest.approx(2 * 0.5**4)}
    assert found["recall_change"]["sad"] == {"points": 0.0, "mcnemar_p": 1.0}
    assert found["agreement_with_float"] == pytest.approx(6 / 7)
    assert found["calibration_error"] == pytest.approx(1 / 7)


def test_a_model_that_cannot_be_opened_says_why_from_its_own_process(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"no model")
    np.save(tmp_path / "faces.npy", np.zeros((1, 96, 96, 3), np.uint8))
    with (
        pytest.raises(ModelError, match="expected a model with a card"),
        open_worker(str(tmp_path / "broken.tflite"), 1, tmp_path / "faces.npy"),
    ):
        pass


def test_files_that_do_not_say_what_they_were_made_from_are_not_compared() -> None:
    alike = {"keras_sha256": "", "format": "tflite"}
    rows = [{"file": "a", "precision": "float32", **alike}, {"file": "b", "precision": "int8", **alike}]
    assert models._base(rows[1], rows) is None


def test_the_peak_is_measured(tmp_path: Path) -> None:
    with open_worker(PEAK, 1, tmp_path / "none") as worker:
        assert worker.loaded == {}
        assert all(milliseconds > 0 for milliseconds in worker.time(3))


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        ("throttled=0x0", []),
        ("throttled=0x50005", ["under-voltage", "throttled"]),  # the bits of the past are left out
        ("throttled=0x50000", []),
        (None, None),
        ("garbage", None),
    ],
)
def test_what_holds_a_pi_back(answer: str | None, held: list[str] | None) -> None:
    assert host._throttled(answer) == held


def test_blocks_in_a_terminal_and_on_a_page() -> None:
    table = Table(["model", "ms"], [["`a`", "1.5"], ["`longer`", "**10**"]])
    assert plain(table).splitlines() == ["model    ms", "a       1.5", "longer   10"]
    assert markdown([Heading("T", 1), table, Picture("<svg/>", "")]).startswith("# T\n\n| model | ms |\n| --- | --- |")
    text = page.html([Heading("A < B", 1), Text("`x<y` is **bad**"), Picture("<svg/>", "a `b`")])
    assert "<title>A &lt; B</title>" in text
    assert "<p class=lead><code>x&lt;y</code> is <strong>bad</strong></p>" in text
    assert "<figure><svg/><figcaption>a <code>b</code></figcaption></figure>" in text


def test_the_lean_profile_measures_speed(tmp_path: Path) -> None:
    """With no scikit-learn, no matplotlib, no rich: what a Pi has."""
    blocked = ["tensorflow", "keras", "sklearn", "scipy", "matplotlib", "rich", "onnxruntime"]
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "import importlib.util as u; there = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name.split('.')[0] in {blocked!r} else there(name, *more)\n"
        "from benchmarks.__main__ import main\n"
        f"raise SystemExit(main(['--out', {str(tmp_path / 'report')!r}, *{FAST!r}]))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "matplotlib is not installed" in (tmp_path / "report" / "report.md").read_text()
    assert "<figure>" not in (tmp_path / "report" / "report.html").read_text()

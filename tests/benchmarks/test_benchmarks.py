"""Run `python -m benchmarks` as a user does, and test the parts that measure models."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.codec import from_json
from benchmarks.measure.accuracy import compare_predictions, score
from benchmarks.measure.models import choose, find_base
from benchmarks.measure.worker import PEAK, open_worker
from benchmarks.results import Estimate, ModelResult, Results
from edge.backend import SHIPPED
from edge.errors import ModelError
from tests.benchmarks.reference import REFERENCE
from tests.conftest import ROOT
from train.data import load

FAST = ["--rounds", "10", "--frames", "10", "--passes", "2", "--threads", "1", "--resolutions", "320x240"]
FAST += ["--detectors", "haar"]


@pytest.fixture(scope="module")
def measured(
    exported: dict[str, Path], drawn_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the results of a whole run: three files of the tiny model and the shipped one."""
    out = tmp_path_factory.mktemp("report")
    names = ["emotion_int8.tflite", "emotion_float32.onnx", "emotion_float32.tflite"]
    files = ["--models", str(SHIPPED), *(str(exported[name]) for name in names)]
    assert main([*files, "--data", str(drawn_data), "--out", str(out), *FAST, "--sustained", "0.02"]) == 0
    return out, json.loads((out / "results.json").read_text())


@pytest.mark.slow
def test_models_are_compared_on_the_same_faces(
    measured: tuple[Path, dict[str, Any]], exported: dict[str, Path]
) -> None:
    """Compare each with the float32 file of its own Keras model and format, in any order, or with none."""
    models = {model["file"]: model for model in measured[1]["models"]}
    names = ["emotion_int8.tflite", "emotion_float32.onnx", "emotion_float32.tflite"]
    int8, onnx, float32 = (models[str(exported[name])] for name in names)
    shipped = next(model for model in models.values() if model not in (int8, onnx, float32))
    assert int8["base"] == str(exported["emotion_float32.tflite"])
    assert onnx["base"] is float32["base"] is shipped["base"] is None
    assert int8["agreement_with_float"] > 0.9
    assert onnx["accuracy"] == float32["accuracy"] > 0.8
    assert "agreement_with_float" not in shipped
    assert int8["latency_ms"]["1"]["times_as_fast_as_base"]["value"] > 0
    assert len(int8["predictions"]) == 28
    assert int8["macs"] == onnx["macs"]
    assert shipped["macs"] == 55_018_112, "as Keras' own MobileNetV2 has at 96 pixels"
    assert shipped["name"] != int8["name"], "two files of the same name go by their paths"


@pytest.mark.slow
def test_the_pipeline_is_measured_at_full_speed_and_live(measured: tuple[Path, dict[str, Any]]) -> None:
    case = measured[1]["pipeline"][0]
    assert case["fps"] == pytest.approx(1000 / case["ms"])
    assert case["limit_ratio"]["value"] == pytest.approx(case["ms"] / case["limit_ms"])
    assert 0.5 * case["ms"] < sum(case["stages_ms"].values()) < case["ms"]
    assert case["fps_ci95"] is None, "two passes are too few"
    assert case["times_as_fast_as_peer"] is None
    live = case["live"]
    assert live["frames"] + live["dropped"] == 10
    assert live["fps"] <= live["camera_fps"]
    assert live["faces_a_frame"] == 1
    assert (live["age_ms"]["p50"] is None) == (live["frames"] < 10), "a busy machine drops frames"
    assert live["age_ms"]["p95"] is None, "ten frames are too few"
    assert live["cores_used"] > 0


@pytest.mark.slow
def test_the_curve_of_sustained_load_has_all_its_points(measured: tuple[Path, dict[str, Any]]) -> None:
    curve = measured[1]["sustained"]
    assert len(curve["points"]) == 60
    assert all(point["fps"] > 0 for point in curve["points"])
    assert [point["at_s"] for point in curve["points"]] == sorted(point["at_s"] for point in curve["points"])
    assert (curve["resolution"], curve["scene"]) == ([320, 240], 1)
    assert curve["frames"] >= 60


@pytest.mark.slow
def test_results_have_the_fields_of_the_reference(measured: tuple[Path, dict[str, Any]]) -> None:
    """Allow new fields, but none renamed or removed."""
    results = measured[1]
    assert REFERENCE.keys() <= results.keys()
    for name in ("host", "dataset", "clip", "start", "sustained", "host_after"):
        assert REFERENCE[name].keys() <= results[name].keys()
    quantized = [next(model for model in report["models"] if model["base"]) for report in (REFERENCE, results)]
    cases = [report["pipeline"][0] for report in (REFERENCE, results)]
    points = [report["sustained"]["points"][0] for report in (REFERENCE, results)]
    latencies = [model["latency_ms"]["1"] for model in quantized]
    for old, new in (quantized, latencies, cases, [case["live"] for case in cases], points):
        assert old.keys() <= new.keys()
    assert (measured[0] / "report.html").read_text().count("<figure>") == 7


def test_the_fastest_of_the_accurate_models_is_chosen() -> None:
    template = from_json(Results, REFERENCE).models[0]
    assert template.scores

    def model(card_accuracy: float, p50: float, accuracy: float | None = None) -> ModelResult:
        latency = replace(template.single_thread, p50=Estimate(p50, None))
        scores = replace(template.scores, accuracy=Estimate(accuracy, None)) if accuracy is not None else None
        info = replace(template.info, accuracy_on_card=card_accuracy)
        return replace(template, info=info, scores=scores, latency_ms={"1": latency})

    models = [model(0.700, 2.0), model(0.695, 1.0), model(0.60, 0.1), model(0.698, 1.5)]
    assert choose(models) == 1
    models[1] = model(0.695, 1.0, accuracy=0.5)  # measured here: the card was too optimistic
    assert choose(models) == 3
    models.append(replace(models[0], info=replace(models[0].info, targets="votes", accuracy_on_card=0.6)))
    assert choose(models) == 4, "accuracies of models that learned different things are not compared"


def test_the_change_by_quantization_is_reported_by_emotion(drawn_data: Path) -> None:
    faces = load(drawn_data, ("public",))["public"]
    base = np.eye(7, dtype=np.float32)[faces.labels]
    probabilities = base.copy()
    probabilities[faces.labels == 2] = np.eye(7, dtype=np.float32)[5]  # all fear is predicted as sad
    change = compare_predictions(faces.labels, probabilities, base)
    assert change.recall_change["fear"].points == -100.0
    assert change.recall_change["fear"].mcnemar_p == pytest.approx(2 * 0.5**4)
    assert (change.recall_change["sad"].points, change.recall_change["sad"].mcnemar_p) == (0.0, 1.0)
    assert change.agreement_with_float == pytest.approx(6 / 7)
    scores = score(faces.labels, probabilities, in_training=faces.labels != 2)
    assert scores.calibration_error == pytest.approx(1 / 7)
    assert scores.accuracy.value == pytest.approx(6 / 7)
    assert scores.accuracy_not_in_training == 0.0


def test_a_model_that_cannot_be_opened_is_reported_by_its_process(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"no model")
    np.save(tmp_path / "faces.npy", np.zeros((1, 96, 96, 3), np.uint8))
    with (
        pytest.raises(ModelError, match="expected a model with a card"),
        open_worker(str(tmp_path / "broken.tflite"), 1, tmp_path / "faces.npy"),
    ):
        pass


def test_models_of_unknown_origin_are_not_compared() -> None:
    template = from_json(Results, REFERENCE).models[0].info
    float32 = replace(template, file="a", precision="float32", keras_sha256="")
    int8 = replace(template, file="b", precision="int8", keras_sha256="")
    assert find_base(int8, [float32, int8]) is None
    known = [replace(info, keras_sha256="f" * 64) for info in (float32, int8)]
    assert find_base(known[1], known) == "a"


def test_the_peak_is_measured(tmp_path: Path) -> None:
    with open_worker(PEAK, 1, tmp_path / "none") as worker:
        assert worker.loading is None
        assert all(milliseconds > 0 for milliseconds in worker.time(3))


@pytest.mark.slow
def test_the_lean_installation_measures_speed_without_data(tmp_path: Path) -> None:
    """Run without a data set, scikit-learn, matplotlib and rich, as on a Raspberry Pi."""
    blocked = ["tensorflow", "keras", "sklearn", "scipy", "matplotlib", "rich", "onnxruntime"]
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "import importlib.util as u; original = u.find_spec\n"
        f"u.find_spec = lambda name, *more: None if name.split('.')[0] in {blocked!r} else original(name, *more)\n"
        "from benchmarks.__main__ import main\n"
        f"raise SystemExit(main(['--out', {str(tmp_path / 'report')!r}, *{FAST!r}]))"
    )
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    (model,) = results["models"]
    times = model["latency_ms"]["1"]
    assert model["size_bytes"] == SHIPPED.stat().st_size
    assert 0 < times["p50_ci95"][0] <= times["p50"] <= times["p50_ci95"][1]
    assert times["p50"] <= times["p95"]
    assert times["p99"] is None, "400 inferences are too few"
    assert times["runs"] == 400
    assert 0 < model["load_ms"] < model["cold_ms"]
    assert model["rss_mb_range"][0] <= model["rss_mb"] <= model["rss_mb_range"][1]
    assert model["rss_empty_mb"] < model["rss_mb"]
    assert "accuracy" not in model
    assert [(case["resolution"], case["scene"]) for case in results["pipeline"]] == [([320, 240], 1), ([320, 240], 4)]
    text = (tmp_path / "report" / "report.md").read_text()
    assert "there was no data set" in text
    assert "Left out: charts, which need matplotlib" in text
    assert "McNemar" not in text
    assert "<figure>" not in (tmp_path / "report" / "report.html").read_text()

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import latency
from benchmarks.__main__ import main
from edge.classifier import SHIPPED

FAST = ["--runs", "40", "--frames", "8"]


def test_speed_alone_where_there_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "report", *FAST]) == 0
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    (model,) = results["models"]
    assert model["size_bytes"] == SHIPPED.stat().st_size
    assert 0 < model["latency_ms"]["1"]["p50"] <= model["latency_ms"]["1"]["p95"]
    assert "accuracy" not in model
    (loop,) = results["pipeline"]
    assert loop["frames"] == 8
    assert loop["resolution"] == "640x480"
    assert loop["fps"] > 0
    text = (tmp_path / "report" / "report.md").read_text()
    assert "speed alone" in text
    assert "%" not in text.split("## The loop")[0].replace("95%", "")


def test_models_side_by_side_on_the_same_faces(
    exported: dict[str, Path], drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is compared with the float32 file of its own Keras model and format, whatever their order, or with none."""
    monkeypatch.chdir(tmp_path)  # reports name files as seen from here
    names = ["emotion_int8.tflite", "emotion_float32.onnx", "emotion_float32.tflite"]
    models = ["--models", str(SHIPPED), *(str(exported[name]) for name in names)]
    assert main([*models, "--data", str(drawn_data), "--out", str(tmp_path / "report"), *FAST]) == 0
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    found = {model["file"]: model for model in results["models"]}
    int8, onnx, float32 = (found[str(exported[name])] for name in names)
    assert int8["base"] == str(exported["emotion_float32.tflite"])
    assert onnx["base"] is float32["base"] is found[str(SHIPPED)]["base"] is None
    assert int8["agreement_with_float"] > 0.9
    assert onnx["accuracy"] == float32["accuracy"] > 0.8
    assert "agreement_with_float" not in found[str(SHIPPED)]
    assert (tmp_path / "report" / "report.md").read_text().count(" of its size") == 1


def test_percentiles_of_a_known_distribution() -> None:
    found = latency.percentiles(np.arange(1001, dtype=float))
    assert found == {"p50": 500.0, "p95": 950.0, "p99": 990.0}

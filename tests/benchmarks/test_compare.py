"""Specify the comparison of two runs: which changes count, and their names."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import BETTER, SAME, UNKNOWN, WORSE, main, verdict
from tests.benchmarks.reference import REFERENCE

LABELS = "0123456" * 20
P95 = {"p95": None, "p95_ci95": None}


def one_model_and_case() -> dict[str, Any]:
    """Return the reference reduced to one model on one thread, one case, and 140 faces that it all has right."""
    results = copy.deepcopy(REFERENCE)
    model = results["models"][0]
    model |= {"name": "int8.tflite", "size_bytes": 1000, "predictions": LABELS}
    model |= {"rss_mb": 60.0, "rss_mb_range": [59.0, 61.0], "load_ms": 4.0, "load_ms_range": [3.0, 9.0]}
    model["latency_ms"] = {"1": model["latency_ms"]["1"] | P95 | median(1.0)}
    case = results["pipeline"][0] | {"model": "int8.tflite", "resolution": [640, 480]}
    case |= {"fps": 100.0, "fps_ci95": [99.0, 101.0]}
    results["dataset"] |= {"labels": LABELS}
    return results | {"models": [model], "pipeline": [case]}


def median(p50: float) -> dict[str, Any]:
    return {"p50": p50, "p50_ci95": [0.99 * p50, 1.01 * p50]}


RESULTS = one_model_and_case()


def slower(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] |= median(1.5)


def faster(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] |= median(0.5)


def slightly_slower(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] |= median(1.08)


def lower_fps(results: dict[str, Any]) -> None:
    results["pipeline"][0] |= {"fps": 50.0, "fps_ci95": [49.0, 51.0]}


def lower_fps_on_another_clip(results: dict[str, Any]) -> None:
    results["clip"]["sha256"] = "d" * 64
    lower_fps(results)


def lower_fps_without_interval(results: dict[str, Any]) -> None:
    results["pipeline"][0] |= {"fps": 50.0, "fps_ci95": None}


def slower_to_load(results: dict[str, Any]) -> None:
    results["models"][0] |= {"load_ms": 30.0, "load_ms_range": [29.0, 31.0], "rss_mb": 60.5}


def no_pipeline(results: dict[str, Any]) -> None:
    results["pipeline"] = []


def larger_file(results: dict[str, Any]) -> None:
    results["models"][0]["size_bytes"] = 1100


def no_fear_recognized(results: dict[str, Any]) -> None:
    results["models"][0]["predictions"] = LABELS.replace("2", "5")


def two_errors(results: dict[str, Any]) -> None:
    results["models"][0]["predictions"] = "11" + LABELS[2:]


def slower_on_another_machine(results: dict[str, Any]) -> None:
    results["host"]["processor"] = "Other"
    slower(results)


def other_faces(results: dict[str, Any]) -> None:
    results["dataset"]["sha256"] = "0" * 64
    no_fear_recognized(results)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (lambda results: None, 0, "0 worse, 0 better"),
        (slower, 1, "p50 ms, 1 thread(s)"),
        (faster, 0, "1 better"),
        (slightly_slower, 0, "0 worse"),
        (lower_fps, 1, "FPS"),
        (larger_file, 1, "1100"),
        (lower_fps_on_another_clip, 0, "throughput is not compared"),
        (lower_fps_without_interval, 0, "no interval"),
        (slower_to_load, 1, "load ms"),
        (no_pipeline, 0, "only in the old run: int8.tflite haar 640x480 1 face"),
        (no_fear_recognized, 1, "recall of fear"),
        (two_errors, 0, "0 worse"),
        (slower_on_another_machine, 0, "times and memory are not compared"),
        (other_faces, 0, "accuracy is not compared"),
    ],
)
def test_only_a_regression_gives_status_1(
    change: Callable[[dict[str, Any]], None],
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = copy.deepcopy(RESULTS)
    change(new)
    for name, results in (("old", RESULTS), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    assert main([str(tmp_path / "old"), str(tmp_path / "new" / "results.json")]) == status
    output = capsys.readouterr().out
    assert message in output
    assert (WORSE in output) is bool(status)


@pytest.mark.parametrize(
    ("old", "new", "old_ci", "new_ci", "less_is_better", "expected"),
    [
        (1.0, 1.2, [0.95, 1.05], [1.15, 1.25], True, WORSE),
        (1.0, 1.2, [0.95, 1.05], [1.15, 1.25], False, BETTER),
        (1.0, 0.8, [0.95, 1.05], [0.75, 0.85], True, BETTER),
        (1.0, 1.2, [0.80, 1.18], [1.15, 1.25], True, SAME),  # the intervals overlap
        (1.0, 1.09, [0.99, 1.01], [1.08, 1.10], True, SAME),  # no overlap, but within the tolerance
        (1.0, 1.2, None, [1.1, 1.3], True, UNKNOWN),
    ],
)
def test_a_change_exceeds_noise_and_tolerance(
    old: float, new: float, old_ci: Any, new_ci: Any, less_is_better: bool, expected: str
) -> None:
    assert verdict(old, new, old_ci, new_ci, 0.1, less_is_better) == expected


LACKING = {**RESULTS, "models": [{"name": "int8.tflite"}]}
WRONG = {**RESULTS, "models": 5}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"host": {}}', json.dumps(LACKING), json.dumps(WRONG)])
def test_other_files_are_rejected(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text(json.dumps(RESULTS))
    if content is not None:
        (tmp_path / "new.json").write_text(content)
    assert main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 2
    assert "results.json of" in capsys.readouterr().err


def test_runs_without_a_common_model_are_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = copy.deepcopy(RESULTS)
    other["models"][0]["name"] = "other.tflite"
    for name, results in (("old.json", RESULTS), ("new.json", other)):
        (tmp_path / name).write_text(json.dumps(results))
    assert main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 2
    assert "same names in both runs (int8.tflite)" in capsys.readouterr().err


def test_the_reference_equals_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.json").write_text(json.dumps(REFERENCE))
    assert main([str(tmp_path), str(tmp_path)]) == 0
    assert "0 worse, 0 better, of 71 compared" in capsys.readouterr().out


def test_start_up_with_another_detector_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = copy.deepcopy(RESULTS)
    new["start"] |= {"detector": "yunet", "seconds": 9.0, "seconds_range": [8.9, 9.1]}
    for name, results in (("old.json", RESULTS), ("new.json", new)):
        (tmp_path / name).write_text(json.dumps(results))
    assert main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 0
    assert "start-up is not compared" in capsys.readouterr().out

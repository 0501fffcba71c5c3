"""What counts as a change between two runs, and what it is called."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import BETTER, SAME, UNKNOWN, WORSE, main, verdict

LABELS = "0123456" * 20


def latency(p50: float) -> dict[str, Any]:
    return {"p50": p50, "p50_ci95": [0.99 * p50, 1.01 * p50], "p95": None, "p95_ci95": None}


RESULTS: dict[str, Any] = {
    "host": {"board": None, "processor": "Test", "machine": "x86_64", "cores": 2},
    "dataset": {"sha256": "f" * 64, "labels": LABELS},
    "clip": {"source": "demo", "sha256": "c" * 64},
    "start": {"seconds": 0.25, "seconds_range": [0.24, 0.26], "rss_mb": 80.0},
    "models": [
        {
            "name": "int8.tflite",
            "size_bytes": 1000,
            "rss_mb": 60.0,
            "rss_mb_range": [59.0, 61.0],
            "load_ms": 4.0,
            "load_ms_range": [3.0, 9.0],
            "latency_ms": {"1": latency(1.0)},
            "predictions": LABELS,
        }
    ],
    "pipeline": [
        {
            "model": "int8.tflite",
            "detector": "haar",
            "resolution": [640, 480],
            "scene": 1,
            "fps": 100.0,
            "fps_ci95": [99.0, 101.0],
        }
    ],
}


def slower(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] = latency(1.5)


def faster(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] = latency(0.5)


def a_little_slower(results: dict[str, Any]) -> None:
    results["models"][0]["latency_ms"]["1"] = latency(1.08)


def fewer_frames(results: dict[str, Any]) -> None:
    results["pipeline"][0] |= {"fps": 50.0, "fps_ci95": [49.0, 51.0]}


def fewer_frames_of_another_clip(results: dict[str, Any]) -> None:
    results["clip"]["sha256"] = "d" * 64
    fewer_frames(results)


def fewer_frames_without_interval(results: dict[str, Any]) -> None:
    results["pipeline"][0] |= {"fps": 50.0, "fps_ci95": None}


def slow_to_load_and_large(results: dict[str, Any]) -> None:
    results["models"][0] |= {"load_ms": 30.0, "load_ms_range": [29.0, 31.0], "rss_mb": 60.5}


def no_loop(results: dict[str, Any]) -> None:
    results["pipeline"] = []


def larger(results: dict[str, Any]) -> None:
    results["models"][0]["size_bytes"] = 1100


def blind_to_fear(results: dict[str, Any]) -> None:
    results["models"][0]["predictions"] = LABELS.replace("2", "5")


def two_wrong(results: dict[str, Any]) -> None:
    results["models"][0]["predictions"] = "11" + LABELS[2:]


def elsewhere_and_slower(results: dict[str, Any]) -> None:
    results["host"]["processor"] = "Other"
    slower(results)


def other_faces(results: dict[str, Any]) -> None:
    results["dataset"]["sha256"] = "0" * 64
    blind_to_fear(results)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (lambda results: None, 0, "0 worse, 0 better"),
        (slower, 1, "p50 ms, 1 thread(s)"),
        (faster, 0, "1 better"),
        (a_little_slower, 0, "0 worse"),
        (fewer_frames, 1, "FPS"),
        (larger, 1, "1100"),
        (fewer_frames_of_another_clip, 0, "the loop is not compared"),
        (fewer_frames_without_interval, 0, "no interval"),
        (slow_to_load_and_large, 1, "load ms"),
        (no_loop, 0, "in the old run alone: int8.tflite haar 640x480 1 face"),
        (blind_to_fear, 1, "recall of fear"),
        (two_wrong, 0, "0 worse"),
        (elsewhere_and_slower, 0, "times and memory are not compared"),
        (other_faces, 0, "accuracy is not compared"),
    ],
)
def test_a_regression_ends_with_status_1(
    change: Callable[[dict[str, Any]], None],
    status: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = copy.deepcopy(RESULTS)
    change(new)
    for name, results in (("old", RESULTS), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(results))
    assert main([str(tmp_path / "old"), str(tmp_path / "new" / "results.json")]) == status
    printed = capsys.readouterr().out
    assert words in printed
    assert (WORSE in printed) is bool(status)


@pytest.mark.parametrize(
    ("old", "new", "old_ci", "new_ci", "less_is_better", "expected"),
    [
        (1.0, 1.2, [0.95, 1.05], [1.15, 1.25], True, WORSE),
        (1.0, 1.2, [0.95, 1.05], [1.15, 1.25], False, BETTER),
        (1.0, 0.8, [0.95, 1.05], [0.75, 0.85], True, BETTER),
        (1.0, 1.2, [0.80, 1.18], [1.15, 1.25], True, SAME),  # the intervals overlap
        (1.0, 1.09, [0.99, 1.01], [1.08, 1.10], True, SAME),  # apart, but tolerable
        (1.0, 1.2, None, [1.1, 1.3], True, UNKNOWN),
    ],
)
def test_beyond_noise_and_tolerance(
    old: float, new: float, old_ci: Any, new_ci: Any, less_is_better: bool, expected: str
) -> None:
    assert verdict(old, new, old_ci, new_ci, 0.1, less_is_better) == expected


LACKING = {**RESULTS, "models": [{"name": "int8.tflite"}]}
WRONG = {**RESULTS, "models": 5}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"host": {}}', json.dumps(LACKING), json.dumps(WRONG)])
def test_what_is_no_report_is_refused(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text(json.dumps(RESULTS))
    if content is not None:
        (tmp_path / "new.json").write_text(content)
    assert main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 2
    assert "results.json of" in capsys.readouterr().err


def test_runs_without_a_model_in_common_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = copy.deepcopy(RESULTS)
    other["models"][0]["name"] = "other.tflite"
    for name, results in (("old.json", RESULTS), ("new.json", other)):
        (tmp_path / name).write_text(json.dumps(results))
    assert main([str(tmp_path / "old.json"), str(tmp_path / "new.json")]) == 2
    assert "same names (int8.tflite)" in capsys.readouterr().err

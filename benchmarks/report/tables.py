"""results.json -> the tables of the report."""

from __future__ import annotations

from typing import Any

from benchmarks.measure.loop import STAGES
from benchmarks.report.blocks import Table
from edge.labels import EMOTIONS

Results = dict[str, Any]


def overview(results: Results) -> Table:
    """A row a model: what most people want to know."""
    head = ["model", "precision", "runtime", "MB", "load ms", "cold ms", "resident MB", "ms (95%), 1 thread"]
    head += ["times as fast"]
    head += ["accuracy (95%)", "agreement"] if results["dataset"] else []
    rows = []
    for model in results["models"]:
        times = model["latency_ms"]["1"]
        row = [f"`{model['name']}`", model["precision"], model["runtime"], megabytes(model)]
        row += [f"{model['load_ms']:.1f}", f"{model['cold_ms']:.0f}", _number(model["rss_mb"], ".0f")]
        row += [_with_interval(times["p50"], times["p50_ci95"], ".3f"), _ratio(times["times_as_fast_as_base"])]
        if results["dataset"]:
            row += [_with_interval(model["accuracy"], model["accuracy_ci95"], ".1%")]
            row += [_number(model.get("agreement_with_float"), ".2%")]
        rows.append(row)
    return Table(head, rows)


def latency(models: list[dict[str, Any]]) -> Table:
    head = ["model", "threads", "p50 ms (95%)", "p95 ms (95%)", "p99 ms (95%)", "a second", "times as fast as float32"]
    head += ["GMAC/s", "of the peak"]
    rows = []
    for model in models:
        for threads, times in model["latency_ms"].items():
            row = [f"`{model['name']}`", threads]
            row += [_with_interval(times[name], times[f"{name}_ci95"], ".3f") for name in ("p50", "p95", "p99")]
            row += [f"{times['per_second']:.0f}", _ratio(times["times_as_fast_as_base"])]
            rate = model["macs"] / times["p50"] / 1e6 if model["macs"] else None
            rows.append([*row, _number(rate, ".1f"), _number(times["share_of_peak"], ".0%")])
    return Table(head, rows)


def truth(models: list[dict[str, Any]]) -> Table:
    head = ["model", "accuracy (95%)", "not in training", "macro F1", "calibration error", "agreement", "McNemar p"]
    rows = [
        [
            f"`{model['name']}`",
            _with_interval(model["accuracy"], model["accuracy_ci95"], ".2%"),
            _number(model["accuracy_not_in_training"], ".2%"),
            f"{model['macro_f1']:.3f}",
            f"{model['calibration_error']:.3f}",
            _number(model.get("agreement_with_float"), ".2%"),
            _number(model.get("mcnemar_p"), ".2g"),
        ]
        for model in models
    ]
    return Table(head, rows)


def recalls(models: list[dict[str, Any]]) -> Table:
    rows = []
    for emotion in EMOTIONS:
        row = [emotion, str(models[0]["per_class"][emotion]["faces"])]
        for model in models:
            change = f" ({model['recall_change'][emotion]['points']:+.1f})" if model["base"] else ""
            row.append(f"{model['per_class'][emotion]['recall']:.1%}{change}")
        rows.append(row)
    return Table(["emotion", "faces", *(f"`{model['name']}`" for model in models)], rows)


def flat_out(cells: list[dict[str, Any]]) -> Table:
    """A row a cell: how fast the loop can go."""
    peer = any(cell["times_as_fast_as_peer"] for cell in cells)
    head = ["model", "detector", "frame", "scene", "FPS (95%)", "ms", *STAGES, "limit ms", "times its limit"]
    head += ["fer ms", "times as fast as fer"] if peer else []
    rows = []
    for cell in cells:
        row = [*about(cell), _with_interval(cell["fps"], cell["fps_ci95"], ".0f"), f"{cell['ms']:.2f}"]
        row += [f"{cell['stages_ms'][stage]:.2f}" for stage in STAGES]
        row += [f"{cell['limit_ms']:.2f}", _ratio(cell["limit_ratio"])]
        row += [_number(cell["peer_ms"], ".1f"), _ratio(cell["times_as_fast_as_peer"], ".1f")] if peer else []
        rows.append(row)
    return Table(head, rows)


def faces(cell: dict[str, Any]) -> str:
    return "1 face" if cell["scene"] == 1 else f"{cell['scene']} faces"


def frame(cell: dict[str, Any]) -> str:
    return "x".join(map(str, cell["resolution"]))


def about(cell: dict[str, Any]) -> list[str]:
    return [f"`{cell['model']}`", cell["detector"], frame(cell), faces(cell)]


def base_of(model: dict[str, Any], models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The float32 model that it is compared with, where there is one."""
    return next((other for other in models if other["file"] == model["base"]), None)


def live(cells: list[dict[str, Any]]) -> Table:
    head = ["model", "detector", "frame", "scene", "faces found", "FPS", "age p50 ms", "age p95 ms", "dropped"]
    head += ["cores used"]
    rows = []
    for cell in cells:
        live, camera = cell["live"], cell["live"]["camera_fps"]
        row = [*about(cell), f"{live['faces_a_frame']:.2f}", f"{live['fps']:.1f} of {camera:.0f}"]
        row += [_number(live["age_ms"][name], ".1f") for name in ("p50", "p95")]
        rows.append([*row, str(live["dropped"]), f"{live['cores_used']:.2f}"])
    return Table(head, rows)


def files(models: list[dict[str, Any]]) -> Table:
    rows = [[f"`{model['name']}`", f"`{model['file']}`", f"`{model['sha256'][:16]}...`"] for model in models]
    return Table(["model", "file", "sha256"], rows)


def megabytes(model: dict[str, Any]) -> str:
    return f"{model['size_bytes'] / 1e6:.2f}"


def _with_interval(value: float | None, interval: list[float] | None, form: str) -> str:
    if value is None:
        return "-"
    return f"{value:{form}}" + (f" ({interval[0]:{form}} to {interval[1]:{form}})" if interval else "")


def _ratio(ratio: dict[str, Any] | None, form: str = ".2f") -> str:
    return _with_interval(ratio["value"], ratio["ci95"], form) if ratio else "-"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"

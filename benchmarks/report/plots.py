"""Draw the charts of the report with matplotlib; without it, there are none."""

from __future__ import annotations

import importlib.util

from benchmarks.report import model_charts, pipeline_charts
from benchmarks.report.blocks import Chart
from benchmarks.results import Results


def draw(results: Results) -> dict[str, Chart]:
    """Return each chart for which there are results, by name."""
    if not can_draw():
        return {}
    charts = {"latency": model_charts.latency(results), "stages": pipeline_charts.stages(results)}
    if results.sustained:
        charts["sustained"] = pipeline_charts.sustained_load(results, results.sustained)
    return charts | _accuracy(results)


def can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _accuracy(results: Results) -> dict[str, Chart]:
    scored = [model for model in results.models if model.scores]
    quantized = [model for model in scored if results.base_of(model)]
    charts = {}
    if len(scored) > 1:
        charts["accuracy_latency"] = model_charts.accuracy_latency(results, scored)
    if quantized:
        model = model_charts.most_quantized(quantized)
        base = results.base_of(model)
        assert base
        charts["recall"] = model_charts.recall_changes(results, quantized)
        charts["confusion"] = model_charts.confusion(results, [base, model])
        charts["confusion_change"] = model_charts.confusion_change(results, base, model)
    elif scored:
        charts["confusion"] = model_charts.confusion(results, [results.recommended])
    return charts

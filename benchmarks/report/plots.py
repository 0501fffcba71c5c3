"""Draw the charts of the report with matplotlib; without it, there are none."""

from __future__ import annotations

import importlib.util

from benchmarks.report import model_charts, pipeline_charts
from benchmarks.report.blocks import Chart
from benchmarks.report.figures import RC_PARAMS
from benchmarks.results import Results


def draw(results: Results) -> dict[str, Chart]:
    """Return each chart for which there are results, by name."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    import matplotlib

    scored = [model for model in results.models if model.scores]
    quantized = [model for model in scored if results.base_of(model)]
    with matplotlib.rc_context(RC_PARAMS):
        charts = {
            "latency": model_charts.latency(results.models),
            "stages": pipeline_charts.stages(results.pipeline),
        }
        if len(scored) > 1:
            charts["accuracy_latency"] = model_charts.accuracy_latency(scored)
        if quantized:
            charts["recall"] = model_charts.recall_changes(quantized)
            charts["confusion"] = model_charts.confusion(results, quantized)
        if results.sustained:
            charts["sustained"] = pipeline_charts.sustained_load(results.sustained)
    return charts

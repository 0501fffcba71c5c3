"""Draw where the pipeline's time goes, and its speed under sustained load."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.report import tables
from benchmarks.report.blocks import Chart
from benchmarks.report.figures import SERIES_COLOURS, add_legend, new_figure, to_chart
from benchmarks.results import PIPELINE_STAGES, PipelineResult, Sustained


def stages(results: Sequence[PipelineResult]) -> Chart:
    """Plot the time of each stage, and the lower bound of all."""
    figure = new_figure(10, 0.9 + 0.36 * len(results))
    axes = figure.subplots()
    positions = np.arange(len(results))
    left = np.zeros(len(results))
    for stage, colour in zip(PIPELINE_STAGES, SERIES_COLOURS, strict=False):
        values = np.array([result.stages_ms[stage] for result in results])
        axes.barh(positions, values, left=left, color=colour, label=stage)
        left += values
    bounds = [result.limit_ms for result in results]
    axes.plot(bounds, positions, "|", color="black", markersize=12, label="lower bound")
    axes.set_yticks(positions, [", ".join(tables.case(result.case)).replace("`", "") for result in results])
    axes.invert_yaxis()
    axes.set(xlabel="ms per frame (mean)")
    axes.grid(alpha=0.25, axis="x")
    add_legend(axes)
    return to_chart(
        figure,
        "Time per frame by stage. The mark is the lower bound: the library calls of the detector and the classifier "
        "alone.",
    )


def sustained_load(sustained: Sustained) -> Chart:
    """Plot speed, temperature, clock and memory over time, where the system reports them."""
    curves: dict[str, list[float | None]] = {
        "FPS": [point.fps for point in sustained.points],
        "°C": [point.sensors["temperature_c"] for point in sustained.points],
        "MHz": [point.sensors["clock_mhz"] for point in sustained.points],
        "MB resident": [point.rss_mb for point in sustained.points],
    }
    known = {unit: values for unit, values in curves.items() if values[0] is not None}
    minutes = [point.at_s / 60 for point in sustained.points]
    figure = new_figure(9, 1.0 + 1.3 * len(known))
    rows = figure.subplots(len(known), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (unit, values), colour in zip(rows, known.items(), SERIES_COLOURS, strict=False):
        axes.plot(minutes, values, color=colour)
        axes.set(ylabel=unit)
        axes.set_ylim(bottom=None if unit == "MHz" else 0)
        axes.grid(alpha=0.25)
    figure.axes[-1].set(xlabel="minutes")
    return to_chart(figure, "The pipeline at full load, over time.")

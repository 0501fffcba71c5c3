"""Draw where the pipeline's time goes, and its speed under sustained load."""

from __future__ import annotations

import numpy as np

from benchmarks.report import tables
from benchmarks.report.blocks import Chart
from benchmarks.report.figures import add_legend, machine_of, to_chart
from benchmarks.results import PIPELINE_STAGES, Results, Sustained
from train.figures import COLOURS, INK, PAGE, add_title, bars, new_figure


def stages(results: Results) -> Chart:
    """Plot the time of each stage, and the lower bound of all."""
    cases = results.pipeline
    positions = np.arange(len(cases))
    left = np.zeros(len(cases))
    with new_figure(PAGE, 1.0 + 0.2 * len(cases)) as figure:
        axes = figure.subplots()
        for i, stage in enumerate(PIPELINE_STAGES):
            values = np.array([case.stages_ms[stage] for case in cases])
            axes.barh(positions, values, left=left, **bars(i, stage))
            left += values
        bounds = [case.limit_ms for case in cases]
        axes.plot(bounds, positions, "|", color=INK, markersize=9, markeredgewidth=1.5, label="lower bound")
        axes.set_yticks(positions, [tables.case_name(case.case) for case in cases])
        axes.invert_yaxis()
        axes.set(xlabel="ms per frame (mean)")
        axes.grid(axis="x")
        add_legend(axes)
        add_title(figure, f"Live loop on {results.clip.source}, {results.clip.frames} frames; {machine_of(results)}")
        return to_chart(
            figure,
            "Time per frame by stage. The mark is the lower bound: the library calls of the detector and the "
            "classifier alone.",
        )


def sustained_load(results: Results, sustained: Sustained) -> Chart:
    """Plot speed, temperature, clock and memory over time, where the system reports them."""
    curves: dict[str, list[float | None]] = {
        "FPS": [point.fps for point in sustained.points],
        "°C": [point.sensors["temperature_c"] for point in sustained.points],
        "MHz": [point.sensors["clock_mhz"] for point in sustained.points],
        "MB resident": [point.rss_mb for point in sustained.points],
    }
    known = {unit: values for unit, values in curves.items() if values[0] is not None}
    minutes = [point.at_s / 60 for point in sustained.points]
    with new_figure(PAGE, 0.8 + 1.0 * len(known)) as figure:
        rows = figure.subplots(len(known), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (unit, values), colour in zip(rows, known.items(), COLOURS, strict=False):
            axes.plot(minutes, values, color=colour)
            axes.set(ylabel=unit)
            axes.set_ylim(bottom=None if unit == "MHz" else 0)
            axes.grid()
        figure.axes[-1].set(xlabel="minutes")
        add_title(figure, f"{tables.case_name(sustained.case)}; {machine_of(results)}")
        return to_chart(figure, "The pipeline at full load, over time.")

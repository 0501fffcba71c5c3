"""Draw the models' accuracy, latency, recall and confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.report.blocks import Chart
from benchmarks.report.figures import add_legend, new_figure, to_chart, with_colours
from benchmarks.report.notes import SIGNIFICANCE
from benchmarks.results import ModelResult, Results
from edge.labels import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AREA_PER_MB = 60.0  # square points of a bubble
LEGEND_AREA = 60  # of every bubble in the legend
PALE = 0.4  # opacity of what is not significant
MIN_DIFFERENCE_RANGE = 3.0  # points of the colour scale
QUANTIZATION_RANK = {"int8": 0, "dynamic": 1, "float16": 2}  # the most quantized first


def accuracy_latency(models: Sequence[ModelResult]) -> Chart:
    """Plot accuracy against latency; all models need scores."""
    figure = new_figure(8, 4.4)
    axes = figure.subplots()
    for model, colour in with_colours(models):
        assert model.scores
        p50 = model.single_thread.p50.value
        accuracy = 100 * model.scores.accuracy.value
        low, high = (100 * bound for bound in model.scores.accuracy.ci95 or 2 * (model.scores.accuracy.value,))
        axes.errorbar(p50, accuracy, [[accuracy - low], [high - accuracy]], color=colour, alpha=0.35, capsize=3)
        megabytes = model.info.size_bytes / 1e6
        label = f"{model.name}, {megabytes:.1f} MB"
        axes.scatter(p50, accuracy, s=AREA_PER_MB * megabytes, color=colour, alpha=0.6, label=label)
    axes.set(xlabel="latency, ms per face, one thread (median)", ylabel="accuracy, %")
    axes.set_xlim(0, 1.15 * max(model.single_thread.p50.value for model in models))
    axes.grid(alpha=0.25)
    for handle in add_legend(axes, labelspacing=1.2).legend_handles:
        handle.set_sizes([LEGEND_AREA])  # type: ignore[union-attr]
    return to_chart(
        figure, "Accuracy against latency. Areas are file sizes, bars the 95% confidence interval of the accuracy."
    )


def latency(models: Sequence[ModelResult]) -> Chart:
    """Plot the distribution of each model's latency on one thread."""
    figure = new_figure(9, 4)
    axes = figure.subplots()
    percents = np.arange(101)
    for model, colour in with_colours(models):
        times = model.single_thread
        axes.plot(times.quantiles, percents, color=colour, label=model.name)
        marks = [(p.value, percent) for p, percent in ((times.p50, 50), (times.p95, 95), (times.p99, 99)) if p]
        axes.plot(*zip(*marks, strict=True), "o", color=colour, markersize=4)
    axes.set(xscale="log", xlabel="latency, ms, one thread", ylabel="% of the inferences", ylim=(0, 101))
    _plain_log_ticks(axes)
    axes.grid(alpha=0.25, which="both")
    add_legend(axes)
    return to_chart(figure, "Latency: cumulative distribution of all inferences; dots at p50, p95 and p99.")


def _plain_log_ticks(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7), numticks=20))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def recall_changes(quantized: Sequence[ModelResult]) -> Chart:
    """Plot how quantization changed the recall of each emotion."""
    figure = new_figure(9, 3.4)
    axes = figure.subplots()
    width = 0.8 / len(quantized)
    positions = np.arange(len(EMOTIONS))
    for i, (model, colour) in enumerate(with_colours(quantized)):
        assert model.change
        changes = [model.change.recall_change[emotion] for emotion in EMOTIONS]
        offset = (i - (len(quantized) - 1) / 2) * width
        points = [change.points for change in changes]
        bars = axes.bar(positions + offset, points, width, color=colour, label=model.name)
        for bar, change in zip(bars, changes, strict=True):
            bar.set_alpha(1.0 if change.mcnemar_p < SIGNIFICANCE / len(EMOTIONS) else PALE)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(positions, EMOTIONS)
    axes.set(ylabel="change in recall, points")
    axes.grid(alpha=0.25, axis="y")
    add_legend(axes)
    return to_chart(
        figure,
        "Change in recall by quantization, relative to the float32 file. Pale: not significant (McNemar's p not below "
        f"{SIGNIFICANCE} over the seven emotions).",
    )


def confusion(results: Results, quantized: Sequence[ModelResult]) -> Chart:
    """Plot the confusion matrices of the most quantized model and its float32 file, and their difference."""
    model = min(
        quantized,
        key=lambda item: (QUANTIZATION_RANK.get(item.info.precision, 3), item.info.format != "tflite"),
    )
    base = results.base_of(model)
    assert base
    figure = new_figure(13, 5)
    panels = figure.subplots(1, 3)
    before = _shares(base)
    after = _shares(model)
    bound = max(MIN_DIFFERENCE_RANGE, float(np.abs(after - before).max()))
    _draw_matrix(panels[0], before, "{:.0f}", cmap="Blues", vmin=0, vmax=100)
    _draw_matrix(panels[1], after, "{:.0f}", cmap="Blues", vmin=0, vmax=100)
    _draw_matrix(panels[2], after - before, "{:+.1f}", cmap="RdBu_r", vmin=-bound, vmax=bound)
    for axes, title in zip(panels, (base.info.precision, model.info.precision, "difference"), strict=True):
        axes.set(title=title, xlabel="predicted")
    panels[0].set(ylabel="true")
    return to_chart(
        figure, f"Confusion in % of each emotion's faces: `{base.name}`, `{model.name}`, and the difference in points."
    )


def _shares(model: ModelResult) -> npt.NDArray[np.float64]:
    """Return the confusion matrix [7, 7] in % of each row."""
    assert model.scores
    counts = np.array(model.scores.confusion)
    return 100 * counts / counts.sum(axis=1, keepdims=True)


def _draw_matrix(axes: Axes, values: npt.NDArray[np.float64], form: str, **colours: Any) -> None:
    axes.imshow(values, **colours)
    for (row, column), value in np.ndenumerate(values):
        text = "" if form.format(value) in ("+0.0", "-0.0") else form.format(value)
        colour = "white" if abs(value) > 0.6 * colours["vmax"] else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
    axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)

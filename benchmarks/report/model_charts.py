"""Draw the models' accuracy, latency, recall and confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from benchmarks.report.blocks import Chart
from benchmarks.report.figures import add_legend, faces_of, machine_of, to_chart
from benchmarks.report.notes import SIGNIFICANCE
from benchmarks.results import ModelResult, Results
from edge.labels import EMOTIONS
from train.figures import COLUMN, INK, PAGE, add_title, bars, new_figure, series
from train.plots import draw_cells, draw_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AREA_PER_MB = 40.0  # square points of a bubble
LEGEND_AREA = 40  # of every bubble in the legend
MARKERS = "os^Dv<>P"
PALE = 0.4  # opacity of what is not significant
MIN_DIFFERENCE_RANGE = 3.0  # points of the colour scale
QUANTIZATION_RANK = {"int8": 0, "dynamic": 1, "float16": 2}  # the most quantized first


def accuracy_latency(results: Results, models: Sequence[ModelResult]) -> Chart:
    """Plot accuracy against latency; all models need scores."""
    assert results.dataset
    with new_figure(PAGE, 3.4) as figure:
        axes = figure.subplots()
        for i, model in enumerate(models):
            assert model.scores
            p50 = model.single_thread.p50.value
            accuracy = 100 * model.scores.accuracy.value
            low, high = (100 * bound for bound in model.scores.accuracy.ci95 or 2 * (model.scores.accuracy.value,))
            megabytes = model.info.size_bytes / 1e6
            style = series(i, f"{model.name}, {megabytes:.1f} MB")
            axes.errorbar(p50, accuracy, [[accuracy - low], [high - accuracy]], color=style["color"], capsize=3)
            colours = {"color": style["color"], "alpha": 0.8, "label": style["label"]}
            axes.scatter(p50, accuracy, s=AREA_PER_MB * megabytes, marker=MARKERS[i % len(MARKERS)], **colours)
        axes.set(xlabel="latency, ms per face, one thread (median)", ylabel="accuracy, % (95%)")
        axes.set_xlim(0, 1.15 * max(model.single_thread.p50.value for model in models))
        axes.grid()
        for handle in add_legend(axes, labelspacing=1.0).legend_handles:
            handle.set_sizes([LEGEND_AREA])  # type: ignore[union-attr]
        add_title(figure, f"{faces_of(results.dataset)}; {machine_of(results)}")
        return to_chart(
            figure, "Accuracy against latency. Areas are file sizes, bars the 95% confidence interval of the accuracy."
        )


def latency(results: Results) -> Chart:
    """Plot the distribution of each model's latency on one thread."""
    percents = np.arange(101)
    with new_figure(PAGE, 3.2) as figure:
        axes = figure.subplots()
        for i, model in enumerate(results.models):
            times = model.single_thread
            style = series(i, model.name)
            axes.plot(times.quantiles, percents, **style)
            marks = [(p.value, percent) for p, percent in ((times.p50, 50), (times.p95, 95), (times.p99, 99)) if p]
            axes.plot(*zip(*marks, strict=True), "o", color=style["color"], markersize=3)
        axes.set(xscale="log", xlabel="latency, ms, one thread", ylabel="% of the inferences", ylim=(0, 101))
        _plain_log_ticks(axes)
        axes.grid()
        add_legend(axes)
        add_title(figure, f"Latency of one inference; {machine_of(results)}")
        return to_chart(figure, "Latency: cumulative distribution of all inferences; dots at p50, p95 and p99.")


def _plain_log_ticks(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7), numticks=20))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def recall_changes(results: Results, quantized: Sequence[ModelResult]) -> Chart:
    """Plot how quantization changed the recall of each emotion."""
    assert results.dataset
    width = 0.8 / len(quantized)
    positions = np.arange(len(EMOTIONS))
    with new_figure(PAGE, 2.8) as figure:
        axes = figure.subplots()
        for i, model in enumerate(quantized):
            assert model.change
            changes = [model.change.recall_change[emotion] for emotion in EMOTIONS]
            offset = (i - (len(quantized) - 1) / 2) * width
            drawn = axes.bar(positions + offset, [change.points for change in changes], width, **bars(i, model.name))
            for bar, change in zip(drawn, changes, strict=True):
                bar.set_alpha(1.0 if change.mcnemar_p < SIGNIFICANCE / len(EMOTIONS) else PALE)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_xticks(positions, EMOTIONS)
        axes.set(ylabel="change in recall, points")
        axes.grid(axis="y")
        add_legend(axes)
        add_title(figure, faces_of(results.dataset))
        return to_chart(
            figure,
            "Change in recall by quantization, relative to the float32 file. Pale: not significant (McNemar's p not "
            f"below {SIGNIFICANCE} over the seven emotions).",
        )


def most_quantized(quantized: Sequence[ModelResult]) -> ModelResult:
    return min(
        quantized,
        key=lambda item: (QUANTIZATION_RANK.get(item.info.precision, 3), item.info.format != "tflite"),
    )


def confusion(results: Results, models: Sequence[ModelResult]) -> Chart:
    """Plot the confusion matrices of one or two models."""
    assert results.dataset
    with new_figure(COLUMN * len(models) + 0.2 * (len(models) - 1), COLUMN) as figure:
        for axes, model in zip(np.atleast_1d(figure.subplots(1, len(models))), models, strict=True):
            draw_matrix(axes, _counts(model), EMOTIONS)
            axes.set(title=model.name, xlabel="predicted class", ylabel="true class")
        add_title(figure, faces_of(results.dataset))
        return to_chart(figure, "Confusion: share of the true emotion's faces, and their number.")


def confusion_change(results: Results, base: ModelResult, model: ModelResult) -> Chart:
    """Plot the difference of two models' confusion matrices, in points."""
    assert results.dataset
    change = _shares(model) - _shares(base)
    bound = max(MIN_DIFFERENCE_RANGE, float(np.abs(change).max()))
    with new_figure(COLUMN, COLUMN) as figure:
        axes = figure.subplots()
        draw_cells(axes, change, EMOTIONS, cmap="RdBu_r", vmin=-bound, vmax=bound)
        for (row, column), value in np.ndenumerate(change):
            if f"{value:+.1f}" not in ("+0.0", "-0.0"):
                colour = "white" if abs(value) > 0.6 * bound else "black"
                text = axes.text(column + 0.5, row + 0.5, f"{value:+.1f}", color=colour, fontsize=7)
                text.set(ha="center", va="center")
        axes.set(xlabel="predicted class", ylabel="true class")
        add_title(figure, f"{model.name} minus {base.name}, points", faces_of(results.dataset))
        return to_chart(
            figure, f"Confusion of `{model.name}` minus that of `{base.name}`, in points of each emotion's faces."
        )


def _counts(model: ModelResult) -> npt.NDArray[np.int64]:
    """Return the confusion matrix [7, 7] in faces."""
    assert model.scores
    return np.array(model.scores.confusion)


def _shares(model: ModelResult) -> npt.NDArray[np.float64]:
    """Return the confusion matrix [7, 7] in % of each row."""
    counts = _counts(model)
    return 100 * counts / counts.sum(axis=1, keepdims=True)

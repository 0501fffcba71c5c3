"""results.json -> pictures, as SVG with its text as text. matplotlib is an extra: without it there are none."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measure.loop import STAGES
from benchmarks.report.blocks import Picture
from benchmarks.report.content import CERTAIN
from benchmarks.report.tables import base_of, faces, frame
from edge.labels import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = dict[str, Any]
COLOURS = ("#4c6ef5", "#e8590c", "#2b8a3e", "#ae3ec9", "#f08c00", "#1098ad", "#c2255c", "#495057")
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.family": "sans-serif", "font.size": 10}
AREA_A_MB = 60.0  # square points of a bubble


def draw(results: Results) -> dict[str, Picture]:
    """Each picture for which there are figures, by name; none where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    models, judged = results["models"], bool(results["dataset"])
    quantized = [model for model in models if judged and model["base"]]
    wanted: list[tuple[str, bool, Callable[[], tuple[Figure, str]]]] = [
        ("accuracy_latency", judged and len(models) > 1, lambda: _accuracy_latency(models)),
        ("latency", True, lambda: _latency(models)),
        ("recall", bool(quantized), lambda: _recall(quantized)),
        ("confusion", bool(quantized), lambda: _confusion(quantized, models)),
        ("stages", True, lambda: _stages(results["pipeline"])),
        ("sustained", bool(results["sustained"]), lambda: _sustained(results["sustained"])),
    ]
    import matplotlib

    with matplotlib.rc_context(STYLE):
        return {name: _picture(*make()) for name, there, make in wanted if there}


def _picture(figure: Figure, caption: str) -> Picture:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    return Picture(re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL), caption)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _coloured(models: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, str]]:
    for i, model in enumerate(models):
        yield model, model["name"], COLOURS[i % len(COLOURS)]


def _accuracy_latency(models: Sequence[dict[str, Any]]) -> tuple[Figure, str]:
    figure = _figure(8, 4.4)
    axes = figure.subplots()
    for model, name, colour in _coloured(models):
        times, accuracy = model["latency_ms"]["1"], 100 * model["accuracy"]
        low, high = (100 * bound for bound in model["accuracy_ci95"])
        axes.errorbar(
            times["p50"], accuracy, [[accuracy - low], [high - accuracy]], color=colour, alpha=0.35, capsize=3
        )
        megabytes = model["size_bytes"] / 1e6
        label = f"{name}, {megabytes:.1f} MB"
        axes.scatter(times["p50"], accuracy, s=AREA_A_MB * megabytes, color=colour, alpha=0.6, label=label)
    axes.set(xlabel="ms a face, one thread (median)", ylabel="accuracy, %")
    axes.set_xlim(0, 1.15 * max(model["latency_ms"]["1"]["p50"] for model in models))
    axes.grid(alpha=0.25)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelspacing=1.2)
    for handle in legend.legend_handles:
        handle.set_sizes([60])  # type: ignore[union-attr]
    return figure, "Accuracy against latency; areas are file sizes, bars the 95% interval of the accuracy."


def _latency(models: Sequence[dict[str, Any]]) -> tuple[Figure, str]:
    figure = _figure(9, 4)
    axes = figure.subplots()
    percents = np.arange(101)
    for model, name, colour in _coloured(models):
        times = model["latency_ms"]["1"]
        axes.plot(times["quantiles"], percents, color=colour, label=name)
        marks = [(times[f"p{percent}"], percent) for percent in (50, 95, 99) if times[f"p{percent}"]]
        axes.plot(*zip(*marks, strict=True), "o", color=colour, markersize=4)
    axes.set(xscale="log", xlabel="ms an inference, one thread", ylabel="% of the inferences done", ylim=(0, 101))
    _plain_log(axes)
    axes.grid(alpha=0.25, which="both")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure, "Latency: every inference is in these curves, up to the slowest; dots at p50, p95 and p99."


def _plain_log(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7), numticks=20))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def _recall(quantized: Sequence[dict[str, Any]]) -> tuple[Figure, str]:
    figure = _figure(9, 3.4)
    axes = figure.subplots()
    width = 0.8 / len(quantized)
    places = np.arange(len(EMOTIONS))
    for i, (model, name, colour) in enumerate(_coloured(quantized)):
        changes = [model["recall_change"][emotion] for emotion in EMOTIONS]
        bars = axes.bar(
            places + (i - (len(quantized) - 1) / 2) * width,
            [change["points"] for change in changes],
            width,
            color=colour,
            label=name,
        )
        for bar, change in zip(bars, changes, strict=True):
            bar.set_alpha(1.0 if change["mcnemar_p"] < CERTAIN / len(EMOTIONS) else 0.4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(places, EMOTIONS)
    axes.set(ylabel="recall, change in points")
    axes.grid(alpha=0.25, axis="y")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure, (
        "What quantization did to each emotion: recall, against the float32 file it was made with. Pale: within chance "
        "(McNemar's p not below 0.05 over the seven emotions)."
    )


def _confusion(quantized: Sequence[dict[str, Any]], models: list[dict[str, Any]]) -> tuple[Figure, str]:
    """Of the most quantized file: float32, the file itself, and the difference."""
    order = {"int8": 0, "dynamic": 1, "float16": 2}
    model = min(quantized, key=lambda item: (order.get(item["precision"], 3), item["format"] != "tflite"))
    base = base_of(model, models)
    assert base is not None, "quantized are those that have one"
    figure = _figure(13, 5)
    shares = [100 * np.array(item["confusion"]) / np.sum(item["confusion"], axis=1)[:, None] for item in (base, model)]
    panels = [(base["precision"], shares[0]), (model["precision"], shares[1]), ("difference", shares[1] - shares[0])]
    for axes, (title, values) in zip(figure.subplots(1, 3), panels, strict=True):
        differs = title == "difference"
        bound = max(3.0, float(np.abs(values).max())) if differs else 100.0
        axes.imshow(values, cmap="RdBu_r" if differs else "Blues", vmin=-bound if differs else 0, vmax=bound)
        for row in range(len(EMOTIONS)):
            for column in range(len(EMOTIONS)):
                value = values[row, column]
                text = (f"{value:+.1f}" if abs(value) >= 0.05 else "") if differs else f"{value:.0f}"
                dark = abs(value) > 0.6 * bound
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
        axes.set_yticks(range(len(EMOTIONS)), EMOTIONS)
        axes.set(title=title, xlabel="named", ylabel="is" if axes is figure.axes[0] else "")
    return figure, (
        f"Confusion in % of each emotion's faces: `{base['name']}`, `{model['name']}`, and the difference in points."
    )


def _stages(cells: Sequence[dict[str, Any]]) -> tuple[Figure, str]:
    figure = _figure(10, 0.9 + 0.36 * len(cells))
    axes = figure.subplots()
    names = [f"{cell['detector']}, {cell['model']}, {frame(cell)}, {faces(cell)}" for cell in cells]
    places, left = np.arange(len(cells)), np.zeros(len(cells))
    for stage, colour in zip(STAGES, COLOURS, strict=False):
        values = np.array([cell["stages_ms"][stage] for cell in cells])
        axes.barh(places, values, left=left, color=colour, label=stage)
        left += values
    limits = [cell["limit_ms"] for cell in cells]
    axes.plot(limits, places, "|", color="black", markersize=12, label="library calls alone")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(xlabel="ms a frame (mean)")
    axes.grid(alpha=0.25, axis="x")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return (
        figure,
        "Where a frame's time goes; the mark is what the detector's and the classifier's library calls cost alone.",
    )


def _sustained(sustained: dict[str, Any]) -> tuple[Figure, str]:
    points = sustained["points"]
    kinds = (("fps", "FPS"), ("temperature_c", "°C"), ("clock_mhz", "MHz"), ("rss_mb", "MB resident"))
    told = [(name, unit) for name, unit in kinds if points[0][name] is not None]
    figure = _figure(9, 1.0 + 1.3 * len(told))
    minutes = [point["at_s"] / 60 for point in points]
    for axes, (name, unit), colour in zip(
        figure.subplots(len(told), 1, sharex=True, squeeze=False)[:, 0], told, COLOURS, strict=False
    ):
        axes.plot(minutes, [point[name] for point in points], color=colour)
        axes.set(ylabel=unit)
        axes.set_ylim(bottom=0 if name != "clock_mhz" else None)
        axes.grid(alpha=0.25)
    figure.axes[-1].set(xlabel="minutes")
    return figure, "The loop at full speed, over time."

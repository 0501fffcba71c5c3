"""Share the basics of all charts: figures, colours, legends, and SVG with real text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchmarks.report.blocks import Chart
from benchmarks.results import ModelResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

RC_PARAMS = {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.family": "sans-serif", "font.size": 10}
SERIES_COLOURS = ("#4c6ef5", "#e8590c", "#2b8a3e", "#ae3ec9", "#f08c00", "#1098ad", "#c2255c", "#495057")


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def with_colours(models: Sequence[ModelResult]) -> Iterator[tuple[ModelResult, str]]:
    for i, model in enumerate(models):
        yield model, SERIES_COLOURS[i % len(SERIES_COLOURS)]


def add_legend(axes: Axes, labelspacing: float = 0.5) -> Legend:
    """Add a legend to the right of the axes."""
    return axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelspacing=labelspacing)


def to_chart(figure: Figure, caption: str) -> Chart:
    """Render a figure as SVG, the same bytes for the same figure."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    return Chart(re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL), caption)

"""Share the basics of all charts of the report: their conditions, the SVG of the page, and legends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.blocks import Chart
from benchmarks.results import Dataset, Results
from train.figures import INK, render
from train.results import split_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend


def faces_of(dataset: Dataset) -> str:
    """Return data set, split and number of faces, as titles have them."""
    name = dataset.name or Path(dataset.path).name
    return f"{name}, {split_name(name, dataset.split)}, {dataset.faces:,} faces"


def machine_of(results: Results) -> str:
    host = results.host
    return host["board"] or host["processor"] or host["machine"]


def add_legend(axes: Axes, labelspacing: float = 0.5) -> Legend:
    """Add a legend to the right of the axes."""
    return axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), labelspacing=labelspacing)


def to_chart(figure: Figure, caption: str) -> Chart:
    """Render a figure in every format; on the page, ink is the page's, so that charts are readable in the dark too."""
    files = render(figure)
    svg = files[".svg"].decode()
    return Chart(re.sub(INK, "var(--ink)", svg[svg.index("<svg") :]), caption, files)

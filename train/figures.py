"""Draw figures at the size in which papers print them, and save each as PNG, SVG and PDF.

The colours differ for colour-blind readers too, and line styles and hatches tell apart what a grey print does not. The
same figure gives the same bytes. Text stays text in SVG and PDF.
"""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.files import atomic_write
from edge.untrusted import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.5, 7.2  # inches: the width of one column of a paper, and of two
INK = "#1d2330"  # of text, axes and marks; pages replace it in the dark
# Okabe and Ito 2008, without black and yellow, which vanish on a dark and on a white ground.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 0.6)), (0, (8, 2)))
HATCHES = ("", "////", "\\\\\\\\", "xxxx", "----", "||||", "++++")  # lines alone: dots take 100 kB of SVG
WIDTH_PER_CHARACTER = 0.55  # of the font's size, on average
STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "figure.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.4,
    "hatch.color": "white",
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.5,
    "text.parse_math": False,  # a file's name may have dollar signs
    "svg.fonttype": "none",
    "svg.hashsalt": "edge-emotion",
    "pdf.fonttype": 42,
}
LONGEST_LABEL = 44  # characters of a name in a legend
DPI = 300
# Suffix -> arguments of savefig. Without the metadata, which have the date, the same figure gives the same bytes.
FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"dpi": DPI, "metadata": {"Software": None}},
    ".svg": {"facecolor": "none", "metadata": {"Date": None, "Creator": None}},
    ".pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}


@contextlib.contextmanager
def saved_figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of this size in inches; write it as `path` with the suffix of each format."""
    with new_figure(width, height) as figure:
        yield figure
        write(render(figure), path)


@contextlib.contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of this size in inches, to be drawn and rendered in the project's style."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def render(figure: Figure) -> dict[str, bytes]:
    """Return the contents of the figure's files by suffix."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is laid out: once, not for each format
    contents = {}
    for suffix, arguments in FORMATS.items():
        file = io.BytesIO()
        figure.savefig(file, format=suffix[1:], **arguments)
        contents[suffix] = file.getvalue()
    contents[".svg"] = re.sub(rb"\s*<metadata>.*?</metadata>", b"", contents[".svg"], flags=re.DOTALL)
    return contents


def write(contents: Mapping[str, bytes], path: Path) -> None:
    """Write a rendered figure as `path` with each suffix. Raises OutputError."""
    for suffix, content in contents.items():
        with atomic_write(path.with_name(path.name + suffix)) as tmp:
            tmp.write_bytes(content)


def figure_files(path: Path) -> list[Path]:
    """Return the files that a figure is written to."""
    return [path.with_name(path.name + suffix) for suffix in FORMATS]


def add_title(figure: Figure, *lines: str) -> None:
    """Write lines above the figure, at the left; those that are too long are broken."""
    characters = int(figure.get_figwidth() * 72 / (STYLE["figure.titlesize"] * WIDTH_PER_CHARACTER))
    broken = [part for line in lines for part in textwrap.wrap(printable(line), characters)]
    figure.suptitle("\n".join(broken), x=0.01, ha="left")


def series(index: int, name: str) -> dict[str, Any]:
    """Return colour, line style and label of a line among others."""
    return {"color": _nth(COLOURS, index), "linestyle": _nth(LINES, index), "label": _label(name)}


def bars(index: int, name: str) -> dict[str, Any]:
    """Return colour, hatch and label of bars among others."""
    return {"color": _nth(COLOURS, index), "hatch": _nth(HATCHES, index), "label": _label(name)}


def _nth(values: Sequence[Any], index: int) -> Any:
    return values[index % len(values)]


def _label(name: str) -> str:
    """Return a name for a legend: short, and not beginning with an underscore, which matplotlib leaves out."""
    short = printable(name) if len(name) <= LONGEST_LABEL else f"...{printable(name[3 - LONGEST_LABEL :])}"
    return f" {short}" if short.startswith("_") else short

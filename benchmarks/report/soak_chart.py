"""Draw the course of a soak: memory, open files, threads, and the age of the frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report.figures import SERIES_COLOURS, new_figure

if TYPE_CHECKING:
    from benchmarks.soak import Soak

PANELS = {  # label of the y axis -> attributes of the samples, each with its name
    "resident memory, MB": {"rss_mb": ""},
    "open files, threads": {"open_files": "open files", "threads": "threads"},
    "age of frames, ms": {"age_p50": "p50", "age_p95": "p95"},
    "frames per second": {"fps": ""},
}


def draw(result: Soak, path: Path) -> None:
    """Write the picture, in the format of the path's suffix. Raises ImportError without matplotlib."""
    figure = new_figure(10, 9)
    minutes = [sample.seconds / 60 for sample in result.samples]
    axes = figure.subplots(len(PANELS), sharex=True)
    for panel, (label, names) in zip(axes, PANELS.items(), strict=True):
        for (name, legend), colour in zip(names.items(), SERIES_COLOURS, strict=False):
            panel.plot(minutes, result.series(name), color=colour, label=legend, linewidth=1.2)
        panel.set_ylabel(label)
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            panel.legend(loc="center right", ncols=2, frameon=False)
    axes[-1].set_xlabel(f"minutes; the camera was silent, killed and changed in resolution: {result.outages} outages")
    figure.savefig(path, dpi=110)

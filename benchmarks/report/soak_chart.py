"""Draw the course of a soak: memory, open files, threads, and the age of the frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from train.figures import PAGE, add_title, saved_figure, series

PANELS = {  # label of the y axis -> values of the samples, each with its name
    "resident memory, MB": {"rss_mb": ""},
    "open files, threads": {"open_files": "open files", "threads": "threads"},
    "age of frames, ms": {"age_p50": "p50", "age_p95": "p95"},
    "frames per second": {"fps": ""},
}


def draw(values: Mapping[str, Sequence[float | None]], outages: int, path: Path) -> None:
    """Write the figure as `path` with the suffix of each format. Raises ImportError without matplotlib.

    `values` has those of every sample by name, `minutes` among them.
    """
    with saved_figure(path, PAGE, 6.5) as figure:
        axes = figure.subplots(len(PANELS), sharex=True)
        for panel, (label, names) in zip(axes, PANELS.items(), strict=True):
            for i, (name, legend) in enumerate(names.items()):
                panel.plot(values["minutes"], values[name], **series(i, legend))
            panel.set_ylabel(label)
            panel.set_ylim(bottom=0)
            panel.grid()
            if len(names) > 1:
                panel.legend(loc="center right", ncols=2)
        axes[-1].set_xlabel("minutes")
        add_title(figure, f"The camera was silent, killed and changed in resolution: {outages} outages")

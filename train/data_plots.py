"""Plot data sets. Each plot is written as PNG, SVG and PDF, to `path` with these suffixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.untrusted import printable
from edge.values import Floats, Image
from train.data import FaceSet
from train.duplicates import Pair
from train.figures import COLOURS, INK, PAGE, add_title, bars, saved_figure

FACES_PER_ROW = 12  # of a sheet


def classes(splits: Mapping[str, FaceSet], title: str, path: Path) -> None:
    """Plot the number of faces of each class in each split."""
    names = next(iter(splits.values())).classes
    positions = np.arange(len(names))
    width = 0.8 / len(splits)
    with saved_figure(path, PAGE, 2.6) as figure:
        axes = figure.subplots()
        for i, (split, faces) in enumerate(splits.items()):
            drawn = axes.bar(
                positions + (i - (len(splits) - 1) / 2) * width, faces.counts(), width, **bars(i, f"split {split}")
            )
            axes.bar_label(drawn, fontsize=6)
        axes.set_xticks(positions, list(map(printable, names)), rotation=0 if len(names) < 10 else 45)
        axes.set(ylabel="faces")
        axes.legend(loc="upper right")
        add_title(figure, f"{title}: faces by class and split")


def samples(faces: FaceSet, title: str, path: Path, seed: int = 0) -> None:
    """Show a random sample of faces of each class."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(faces.labels == label) for label in range(len(faces.classes))]
    images = [faces.images[rng.permutation(row)[:FACES_PER_ROW]] for row in rows]
    _sheet(images, list(faces.classes), f"{title}: a random sample of each class", path)


def brightness(means: Floats, contrasts: Floats, title: str, path: Path) -> None:
    """Plot the distribution of the faces' mean grey and contrast, [n] each."""
    measures = {"mean grey of a face (0 to 255)": means, "contrast of a face (standard deviation)": contrasts}
    with saved_figure(path, PAGE, 2.4) as figure:
        for axes, (name, values) in zip(figure.subplots(1, 2), measures.items(), strict=True):
            axes.hist(values, bins=64, color=COLOURS[0])
            axes.axvline(float(np.median(values)), color=INK, linewidth=0.8, linestyle="--", label="median")
            axes.set(xlabel=name, ylabel="faces")
            axes.legend(loc="upper right")
        add_title(figure, f"{title}: brightness of {len(means):,} faces")


def pairs(faces: FaceSet, duplicates: Sequence[Pair], title: str, path: Path) -> None:
    """Show pairs one below the other, from the most to the least alike, to check them by eye."""
    indices = np.linspace(0, len(duplicates) - 1, min(4 * FACES_PER_ROW, len(duplicates))).astype(int)
    sample = [duplicates[i] for i in indices]
    rows = []
    names = []
    for start in range(0, len(sample), FACES_PER_ROW):
        part = sample[start : start + FACES_PER_ROW]
        rows += [faces.images[[pair.first for pair in part]], faces.images[[pair.second for pair in part]]]
        names += [f"{part[0].correlation:.3f} to {part[-1].correlation:.3f}", ""]
    _sheet(rows, names, f"{title}: near duplicates, one below the other, by correlation", path)


def _sheet(rows: Sequence[Image], names: Sequence[str], title: str, path: Path) -> None:
    """Show rows of up to FACES_PER_ROW faces [n, 48, 48], each with a name."""
    height = 0.4 + 0.53 * max(1, len(rows))
    with saved_figure(path, PAGE, height) as figure:
        for i, (row, name) in enumerate(zip(rows, names, strict=True)):
            axes = figure.add_subplot(len(rows), 1, i + 1)
            blank: npt.NDArray[np.uint8] = np.full((FACES_PER_ROW - len(row), *row.shape[1:]), 255, np.uint8)
            axes.imshow(np.hstack([*row, *blank]), cmap="gray", vmin=0, vmax=255)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            axes.set_ylabel(printable(name), rotation=0, ha="right", va="center")
        add_title(figure, title)

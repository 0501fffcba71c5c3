"""Plot data sets, runs and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.files import atomic_write
from edge.values import Probabilities
from train.data import FaceSet
from train.duplicates import Pair
from train.metrics import CALIBRATION_BINS, confidence_bins
from train.recipe import OF_AVERAGE, Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACES_PER_ROW = 12  # of a sheet


def curves(history: list[dict[str, float]], recipe: Recipe, path: Path) -> None:
    """Plot accuracy and loss by epoch, in training and validation, and mark the epoch that was chosen."""
    epochs = [row["epoch"] for row in history]
    best = recipe.best(history)
    figure = _figure(9, 3.6)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[name] for row in history], color="tab:gray", label="training (augmented)")
        column = f"val_{name}"
        axes.plot(epochs, [row[column] for row in history], color="tab:blue", label="validation")
        if recipe.ema:
            column += OF_AVERAGE
            axes.plot(epochs, [row[column] for row in history], color="tab:green", label="validation, averaged weights")
        axes.plot(best["epoch"], best[column], "o", color="tab:orange", label="chosen")
        _annotate(axes, best["epoch"], best[column])
        axes.set(xlabel="epoch", title=name.capitalize())
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize="small")
    _save(figure, path)


def _annotate(axes: Axes, x: float, y: float) -> None:
    axes.annotate(f"{y:.3f}", (x, y), textcoords="offset points", xytext=(-4, 8), ha="right", color="tab:orange")


def confusion(report: dict[str, Any], path: Path) -> None:
    """Plot the confusion matrix, in % of each emotion's faces."""
    counts = np.array(report["confusion"])
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(6, 5.4)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(shares.shape):
        colour = "white" if shares[row, column] > 60 else "black"
        axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", color=colour)
    names = tuple(report["per_class"])
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    faces = counts.sum(axis=1)
    axes.set_yticks(range(len(names)), [f"{name} ({n})" for name, n in zip(names, faces, strict=True)])
    axes.set(xlabel="predicted", ylabel="true (faces)", title=f"accuracy {report['accuracy']:.1%}")
    _save(figure, path)


def roc(labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path) -> None:
    """Plot the ROC curve of each emotion against the others."""
    from sklearn.metrics import roc_curve

    figure = _figure(5.6, 5)
    axes = figure.subplots()
    for i, emotion in enumerate(report["per_class"]):
        if (auc := report["per_class"][emotion]["auc"]) is not None:
            false_positives, true_positives, _ = roc_curve(labels == i, probabilities[:, i])
            axes.plot(100 * false_positives, 100 * true_positives, label=f"{emotion} (AUC {auc:.3f})")
    axes.plot([0, 100], [0, 100], color="black", linewidth=0.6, linestyle=":")
    axes.set(xlabel="false positives (%)", ylabel="true positives (%)", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    _save(figure, path)


def reliability(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path
) -> None:
    """Plot accuracy by confidence: below the diagonal the model is overconfident."""
    correct = probabilities.argmax(axis=1) == labels
    bins = confidence_bins(probabilities.max(axis=1))
    count = CALIBRATION_BINS
    faces = np.bincount(bins, minlength=count)
    shares = np.bincount(bins, weights=correct, minlength=count) / np.maximum(faces, 1)
    figure = _figure(5.6, 5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middles = (np.arange(count) + 0.5) / count
    upper.bar(middles, np.where(faces > 0, shares, 0), 0.9 / count, color="tab:blue")
    upper.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    upper.set(ylabel="accuracy", title=f"calibration error {report['calibration_error']:.3f}", ylim=(0, 1))
    lower.bar(middles, faces, 0.9 / count, color="tab:gray")
    lower.set(xlabel="confidence", ylabel="faces", xlim=(0, 1))
    _save(figure, path)


def classes(splits: dict[str, FaceSet], path: Path) -> None:
    """Plot the number of faces of each emotion in each split."""
    figure = _figure(8, 3.6)
    axes = figure.subplots()
    names = next(iter(splits.values())).classes
    positions = np.arange(len(names))
    width = 0.8 / len(splits)
    for i, (split, faces) in enumerate(splits.items()):
        bars = axes.bar(positions + (i - (len(splits) - 1) / 2) * width, faces.counts(), width, label=split)
        axes.bar_label(bars, fontsize="x-small")
    axes.set_xticks(positions, names)
    axes.set(ylabel="faces")
    axes.legend()
    _save(figure, path)


def samples(faces: FaceSet, path: Path, seed: int = 0) -> None:
    """Show a random sample of faces of each emotion."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(faces.labels == label) for label in range(len(faces.classes))]
    _sheet([faces.images[rng.permutation(row)[:FACES_PER_ROW]] for row in rows], list(faces.classes), path)


def brightness(faces: FaceSet, path: Path) -> None:
    """Plot the distribution of the faces' mean grey and contrast."""
    figure = _figure(8, 3)
    measures = (
        ("mean grey", [image.mean() for image in faces.images]),
        ("contrast (standard deviation)", [image.std() for image in faces.images]),
    )
    for axes, (name, values) in zip(figure.subplots(1, 2), measures, strict=True):
        axes.hist(values, bins=64, color="tab:blue")
        axes.set(xlabel=name, ylabel="faces")
    _save(figure, path)


def pairs(faces: FaceSet, duplicates: Sequence[Pair], path: Path) -> None:
    """Show pairs one below the other, from the most to the least alike, to check them by eye."""
    indices = np.linspace(0, len(duplicates) - 1, min(4 * FACES_PER_ROW, len(duplicates))).astype(int)
    sample = [duplicates[i] for i in indices]
    rows = []
    names = []
    for start in range(0, len(sample), FACES_PER_ROW):
        part = sample[start : start + FACES_PER_ROW]
        rows += [faces.images[[pair.first for pair in part]], faces.images[[pair.second for pair in part]]]
        names += [f"{part[0].correlation:.3f} to {part[-1].correlation:.3f}", ""]
    _sheet(rows, names, path)


def _sheet(rows: Sequence[np.ndarray], names: Sequence[str], path: Path) -> None:
    """Show rows of up to FACES_PER_ROW faces [n, 48, 48], each with a name."""
    figure = _figure(1.6 + 0.8 * FACES_PER_ROW, 0.82 * max(1, len(rows)))
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        axes = figure.add_subplot(len(rows), 1, i + 1)
        blank = np.full((FACES_PER_ROW - len(row), *row.shape[1:]), 255, np.uint8)
        axes.imshow(np.hstack([*row, *blank]), cmap="gray", vmin=0, vmax=255)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as tmp:
        figure.savefig(tmp, dpi=120)

"""Pictures of data sets and of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.files import atomic_write
from edge.labels import EMOTIONS
from edge.values import Probabilities
from train.data import FaceSet
from train.duplicates import Pair
from train.metrics import CALIBRATION_BINS, confidence_bins

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 12  # faces a row of a sheet


def curves(history: list[dict[str, float]], path: Path) -> None:
    """Accuracy and loss by epoch, training and validation, with the chosen epoch marked."""
    epochs = [row["epoch"] for row in history]
    chosen_by = "val_accuracy_of_average" if "val_accuracy_of_average" in history[0] else "val_accuracy"
    best = max(history, key=lambda row: row[chosen_by])
    figure = _figure(9, 3.6)
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[name] for row in history], color="tab:gray", label="training (augmented)")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], color="tab:blue", label="validation")
        axes.set(xlabel="epoch", title=name.capitalize())
        axes.grid(alpha=0.3)
    left = figure.axes[0]
    if chosen_by != "val_accuracy":
        left.plot(epochs, [row[chosen_by] for row in history], color="tab:green", label="validation, averaged weights")
    left.plot(best["epoch"], best[chosen_by], "o", color="tab:orange", label="chosen")
    left.annotate(
        f"{best[chosen_by]:.1%}",
        (best["epoch"], best[chosen_by]),
        textcoords="offset points",
        xytext=(-4, 8),
        ha="right",
        color="tab:orange",
    )
    left.legend(fontsize="small")
    _save(figure, path)


def confusion(report: dict[str, Any], path: Path) -> None:
    """What each emotion was called, in % of its faces."""
    counts = np.array(report["confusion"])
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(6, 5.4)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(shares.shape):
        colour = "white" if shares[row, column] > 60 else "black"
        axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", color=colour)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
    faces = counts.sum(axis=1)
    axes.set_yticks(range(len(EMOTIONS)), [f"{name} ({n})" for name, n in zip(EMOTIONS, faces, strict=True)])
    axes.set(xlabel="named", ylabel="is (faces)", title=f"accuracy {report['accuracy']:.1%}")
    _save(figure, path)


def roc(labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path) -> None:
    """For each emotion: of its own faces and of the others, how many are named so as the threshold falls."""
    from sklearn.metrics import roc_curve

    figure = _figure(5.6, 5)
    axes = figure.subplots()
    for i, emotion in enumerate(EMOTIONS):
        if (auc := report["per_class"][emotion]["auc"]) is not None:
            false, true, _ = roc_curve(labels == i, probabilities[:, i])
            axes.plot(100 * false, 100 * true, label=f"{emotion} (AUC {auc:.3f})")
    axes.plot([0, 100], [0, 100], color="black", linewidth=0.6, linestyle=":")
    axes.set(xlabel="% of the other faces", ylabel="% of its own faces", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize="small")
    _save(figure, path)


def reliability(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path
) -> None:
    """How often the model is right when it is so sure; below the line it is surer than it should be."""
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    bins, count = confidence_bins(confidence), CALIBRATION_BINS
    faces = np.bincount(bins, minlength=count)
    shares = np.bincount(bins, weights=right, minlength=count) / np.maximum(faces, 1)
    figure = _figure(5.6, 5.4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middles = (np.arange(count) + 0.5) / count
    above.bar(middles, np.where(faces > 0, shares, 0), 0.9 / count, color="tab:blue")
    above.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    above.set(ylabel="share that is right", title=f"calibration error {report['calibration_error']:.3f}", ylim=(0, 1))
    below.bar(middles, faces, 0.9 / count, color="tab:gray")
    below.set(xlabel="confidence", ylabel="faces", xlim=(0, 1))
    _save(figure, path)


def classes(splits: dict[str, FaceSet], path: Path) -> None:
    """How many faces of each emotion there are in each split."""
    figure = _figure(8, 3.6)
    axes = figure.subplots()
    places, width = np.arange(len(EMOTIONS)), 0.8 / len(splits)
    for i, (split, faces) in enumerate(splits.items()):
        counts = np.bincount(faces.labels, minlength=len(EMOTIONS))
        bars = axes.bar(places + (i - (len(splits) - 1) / 2) * width, counts, width, label=split)
        axes.bar_label(bars, fontsize="x-small")
    axes.set_xticks(places, EMOTIONS)
    axes.set(ylabel="faces")
    axes.legend()
    _save(figure, path)


def samples(faces: FaceSet, path: Path, seed: int = 0) -> None:
    """Some faces of each emotion, chosen by chance."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(faces.labels == label) for label in range(len(EMOTIONS))]
    _sheet([faces.images[rng.permutation(row)[:SHOWN]] for row in rows], list(EMOTIONS), path)


def brightness(faces: FaceSet, path: Path) -> None:
    """How bright the faces are, and how much contrast they have."""
    figure = _figure(8, 3)
    measures = (("mean grey", faces.images.mean(axis=(1, 2))), ("contrast (deviation)", faces.images.std(axis=(1, 2))))
    for axes, (name, values) in zip(figure.subplots(1, 2), measures, strict=True):
        axes.hist(values, bins=64, color="tab:blue")
        axes.set(xlabel=name, ylabel="faces")
    _save(figure, path)


def pairs(faces: FaceSet, found: Sequence[Pair], path: Path) -> None:
    """Pairs below each other, from the most to the least alike, so that the eye can judge them."""
    chosen = [found[i] for i in np.linspace(0, len(found) - 1, min(4 * SHOWN, len(found))).astype(int)]
    rows, names = [], []
    for start in range(0, len(chosen), SHOWN):
        part = chosen[start : start + SHOWN]
        rows += [faces.images[[pair.first for pair in part]], faces.images[[pair.second for pair in part]]]
        names += [f"{part[0].correlation:.3f} to {part[-1].correlation:.3f}", ""]
    _sheet(rows, names, path)


def _sheet(rows: Sequence[np.ndarray], names: Sequence[str], path: Path) -> None:
    """Rows of faces [n, 48, 48], each with a name; fewer than SHOWN leave the rest of a row white."""
    figure = _figure(1.6 + 0.8 * SHOWN, 0.82 * max(1, len(rows)))
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        axes = figure.add_subplot(len(rows), 1, i + 1)
        blank = np.full((SHOWN - len(row), *row.shape[1:]), 255, np.uint8)
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

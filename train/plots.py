"""Plot runs and evaluations. Each plot is written as PNG, SVG and PDF, to `path` with these suffixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edge.untrusted import printable
from edge.values import Probabilities
from train.data import FOLDS
from train.figures import COLOURS, COLUMN, INK, PAGE, add_title, saved_figure, series
from train.metrics import CALIBRATION_BINS, confidence_bins, wilson
from train.recipe import OF_AVERAGE, Recipe
from train.results import deviation, split_name, subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = 20  # epochs up to which each has a dot: a line through one epoch cannot be seen
CELL = 0.37  # inches: the side of a cell of a confusion matrix, which holds four digits
DARK = 0.55  # share from which a cell's text is white

History = Sequence[Mapping[str, float]]


def curves(history: list[dict[str, float]], recipe: Recipe, name: str, path: Path) -> None:
    """Plot accuracy and loss by epoch, in training and validation, and mark the epoch that was chosen."""
    best = recipe.best(history)
    with saved_figure(path, PAGE, 2.7) as figure:
        for axes, measure in _panels(figure, recipe, name):
            tested = f"val_{measure}"
            lines = {measure: "training (augmented)", tested: _tested(recipe)}
            lines |= {tested + OF_AVERAGE: f"{_tested(recipe)}, averaged weights"} if recipe.ema else {}
            for i, (column, label) in enumerate(reversed(lines.items())):
                _line(axes, history, column, **series(i, label))
            column = list(lines)[-1]
            axes.plot(best["epoch"], best[column], "o", color="none", markeredgecolor=INK, markersize=7, label="kept")
            text = f"{best[column]:.3f}"
            axes.annotate(text, (best["epoch"], best[column]), textcoords="offset points", xytext=(-5, 6), ha="right")
        _legend_below(figure)


def seed_curves(histories: Mapping[int, History], recipe: Recipe, name: str, path: Path) -> None:
    """Plot accuracy and loss of several seeds by epoch: each seed, the mean, and a band of one standard deviation.

    Mean and band end with the shortest run.
    """
    suffix = OF_AVERAGE if recipe.ema else ""
    length = min(map(len, histories.values()))
    epochs = np.arange(1, length + 1)
    with saved_figure(path, PAGE, 2.7) as figure:
        for axes, measure in _panels(figure, recipe, name):
            column = f"val_{measure}{suffix}"
            for i, history in enumerate(histories.values()):
                _line(axes, history, column, color=COLOURS[-1], linewidth=0.5, label="" if i else "each seed")
            rows = np.array([[row[column] for row in history[:length]] for history in histories.values()])
            mean, spread = rows.mean(axis=0), deviation(rows)
            count = f"{_tested(recipe)}, n = {len(rows)} seeds"
            band = axes.fill_between(
                epochs, mean - spread, mean + spread, color=COLOURS[0], label="± standard deviation"
            )
            band.set(alpha=0.25, linewidth=0)
            axes.plot(epochs, mean, color=COLOURS[0], marker=_marker(length), label=f"mean of {count}")
        _legend_below(figure)


def _panels(figure: Figure, recipe: Recipe, name: str) -> Iterator[tuple[Axes, str]]:
    """Yield axes for accuracy and for loss by epoch, each with its name."""
    from matplotlib.ticker import MaxNLocator

    add_title(figure, f"{name}: {recipe.data_set}, {split_name(recipe.data_set, recipe.validation)}")
    for axes, measure in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        yield axes, measure
        axes.set(xlabel="epoch", ylabel=measure)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.5) if high < 2 else low, max(high, 1.5))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        axes.grid()


def _tested(recipe: Recipe) -> str:
    return "folds" if recipe.validation == FOLDS else "validation"


def _line(axes: Axes, history: History, column: str, **style: Any) -> None:
    epochs, values = zip(*((row["epoch"], row[column]) for row in history), strict=True)
    axes.plot(epochs, values, marker=_marker(len(history)), **style)


def _marker(epochs: int) -> str:
    return "." if epochs <= MARKED else ""


def _legend_below(figure: Figure) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def confusion(report: dict[str, Any], path: Path) -> None:
    """Plot the confusion matrix: in each cell the share of the true class's faces in %, and their number."""
    counts = np.array(report["confusion"])
    names = list(map(printable, report["per_class"]))
    side = max(COLUMN, 0.9 + CELL * len(names))
    with saved_figure(path, side, side + 0.1) as figure:
        axes = figure.subplots()
        draw_matrix(axes, counts, names)
        axes.set(xlabel="predicted class", ylabel="true class")
        add_title(figure, subject(report), _accuracy(report), "share of the true class, number of faces")


def draw_matrix(axes: Axes, counts: npt.NDArray[np.int64], names: Sequence[str]) -> None:
    """Draw a confusion matrix, int [classes, classes], whose rows are the true classes."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    draw_cells(axes, shares, names, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > DARK else "black"
        centre = (column + 0.5, row + 0.5)
        axes.text(*centre, f"{share:.0%}", ha="center", va="bottom", color=colour, fontsize=8)
        axes.text(*centre, str(counts[row, column]), ha="center", va="top", color=colour, fontsize=6)


def draw_cells(axes: Axes, values: npt.NDArray[np.float64], names: Sequence[str], **colours: Any) -> None:
    """Draw a square of coloured cells, values [n, n], as vectors: an image would blur in print."""
    axes.pcolormesh(values, edgecolors="white", linewidth=0.5, **colours)
    positions = np.arange(len(names)) + 0.5
    axes.set_xticks(positions, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(positions, names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")
    axes.invert_yaxis()


def _accuracy(report: dict[str, Any]) -> str:
    low, high = report["accuracy_ci95"]
    return f"accuracy {report['accuracy']:.1%} (95%: {low:.1%} to {high:.1%}), macro F1 {report['macro_f1']:.3f}"


def roc(labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path) -> None:
    """Plot the ROC curve of each emotion against the others."""
    from sklearn.metrics import roc_curve

    few = len(report["per_class"]) <= len(COLOURS)
    with saved_figure(path, COLUMN if few else PAGE, COLUMN + 0.3) as figure:
        axes = figure.subplots()
        for i, (name, row) in enumerate(report["per_class"].items()):
            if row["auc"] is not None:
                false_positives, true_positives, _ = roc_curve(labels == i, probabilities[:, i])
                axes.plot(false_positives, true_positives, **series(i, f"{name} (AUC {row['auc']:.3f})"))
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.5, linestyle=":", label="chance")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal", xlim=(-0.01, 1))
        axes.set_ylim(0, 1.01)
        axes.grid()
        axes.legend(**{"loc": "lower right"} if few else {"loc": "center left", "bbox_to_anchor": (1, 0.5)})
        add_title(figure, subject(report), "one class against the others")


def reliability(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, report: dict[str, Any], path: Path
) -> None:
    """Plot accuracy by confidence, with 95% intervals: below the diagonal the model is overconfident."""
    correct = probabilities.argmax(axis=1) == labels
    bins = confidence_bins(probabilities.max(axis=1))
    count = CALIBRATION_BINS
    faces = np.bincount(bins, minlength=count)
    right = np.bincount(bins[correct], minlength=count)
    there = np.flatnonzero(faces)
    shares = right[there] / faces[there]
    bounds = np.array([wilson(int(right[i]), int(faces[i])) for i in there]).T
    with saved_figure(path, COLUMN, COLUMN + 0.3) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        bars = {"width": 0.9 / count, "color": COLOURS[0]}
        upper.bar((there + 0.5) / count, shares, **bars)
        errors = np.maximum(0, [shares - bounds[0], bounds[1] - shares])
        upper.errorbar((there + 0.5) / count, shares, errors, fmt="none", ecolor=INK, elinewidth=0.8, capsize=2)
        upper.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="perfect calibration")
        upper.set(ylabel="accuracy (95%)", ylim=(0, 1))
        upper.legend(loc="upper left")
        lower.bar((np.arange(count) + 0.5) / count, faces, width=0.9 / count, color=COLOURS[-1])
        lower.set(xlabel="confidence of the predicted class", ylabel="faces", xlim=(0, 1))
        error = f"calibration error {report['calibration_error']:.3f} ({CALIBRATION_BINS} equal bins)"
        add_title(figure, subject(report), error)

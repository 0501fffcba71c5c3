"""Pictures of a run."""

from __future__ import annotations

from pathlib import Path

from edge.files import whole_file


def curves(history: list[dict[str, float]], path: Path) -> None:
    """Accuracy and loss by epoch, training and validation, with the chosen epoch marked."""
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    best = max(history, key=lambda row: row["val_accuracy"])
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        axes.plot(epochs, [row[name] for row in history], color="tab:gray", label="training (augmented)")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], color="tab:blue", label="PublicTest")
        axes.plot(best["epoch"], best[f"val_{name}"], "o", color="tab:orange", label="chosen")
        axes.set(xlabel="epoch", title=name.capitalize())
        axes.grid(alpha=0.3)
    axes.legend()
    figure.axes[0].annotate(
        f"{best['val_accuracy']:.1%}",
        (best["epoch"], best["val_accuracy"]),
        textcoords="offset points",
        xytext=(-4, 8),
        ha="right",
        color="tab:orange",
    )
    with whole_file(path) as beside:
        figure.savefig(beside, dpi=120)

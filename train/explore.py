"""Describe a data set before training on it: classes, samples, brightness and duplicates.

python -m train.explore --data data/fer2013 --out report

Writes explore.md, duplicates.csv and plots as PNG, SVG and PDF: classes, samples, brightness, duplicates.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from edge.arguments import ArgumentParser
from edge.errors import DataError, exit_status
from edge.files import atomic_write, check_writable
from edge.untrusted import utf8
from edge.values import Floats
from train import data_plots, duplicates
from train.data import DATA, FaceSet, load
from train.duplicates import Pair
from train.extras import require
from train.figures import figure_files
from train.options import add_classes
from train.progress import progress
from train.provenance import data_set
from train.store import join

PLOTS = ("classes", "samples", "brightness", "duplicates")
FILES = ("explore.md", "duplicates.csv", *(file.name for name in PLOTS for file in figure_files(Path(name))))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.explore", __doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of faces, archive of one, or fer2013.csv")
    add_classes(parser)
    parser.add_argument("--strict", action="store_true", help="stop at a damaged image or row in place of skipping it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report and its plots")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: explore(args.data, args.out, args.strict, args.labels, args.ignore))


def explore(path: Path, out: Path, strict: bool, labels: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> int:
    """Write the report on the data set at `path` to the folder `out`, and print it."""
    require("matplotlib", "matplotlib", "train")
    for name in FILES:
        check_writable(out / name)
    splits = load(path, strict=strict, labels=labels, ignore=ignore, checked=True)
    if not splits:
        raise DataError(f"expected faces in {path}, found none")
    faces = _merge(splits)
    split_names = [split for split, own in splits.items() for _ in own.names]
    with progress() as stage:
        exact = duplicates.exact_duplicates(faces)
        near = duplicates.near_duplicates(faces, stage("near duplicates", duplicates.block_count(len(faces))))
    title = data_set(faces.names, path)[0]
    data_plots.classes(splits, title, out / "classes")
    data_plots.samples(faces, title, out / "samples")
    means, contrasts = _grey_levels(faces)
    data_plots.brightness(means, contrasts, title, out / "brightness")
    data_plots.pairs(faces, _across_splits(near, split_names) or near, title, out / "duplicates")
    _write_pairs(out / "duplicates.csv", [*exact, *near], faces, split_names)
    text = _markdown(path, splits, faces, exact, near, split_names, means, contrasts)
    with atomic_write(out / "explore.md") as tmp:
        tmp.write_text(text, encoding="utf-8")
    print(text)
    print(f"written: {', '.join(str(out / name) for name in FILES)}")
    return 0


def _merge(splits: dict[str, FaceSet]) -> FaceSet:
    """Return all faces in one set, split after split."""
    parts = list(splits.values())
    return FaceSet(
        join([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(chain.from_iterable(part.names for part in parts)),
        "all",
        parts[0].classes,
    )


def _across_splits(pairs: Sequence[Pair], split_names: Sequence[str]) -> list[Pair]:
    return [pair for pair in pairs if split_names[pair.first] != split_names[pair.second]]


def _write_pairs(path: Path, pairs: Sequence[Pair], faces: FaceSet, split_names: Sequence[str]) -> None:
    with atomic_write(path) as tmp, tmp.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        columns = ("split", "name", "emotion")
        writer.writerow([*columns, *(f"other_{column}" for column in columns), "kind", "correlation"])
        for pair in pairs:
            kind = "exact" if pair.exact else "mirrored" if pair.mirrored else "near"
            first, second = (
                (split_names[i], utf8(faces.names[i]), faces.classes[faces.labels[i]])
                for i in (pair.first, pair.second)
            )
            writer.writerow([*first, *second, kind, f"{pair.correlation:.4f}"])


def _grey_levels(faces: FaceSet) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the pixels of each face, [n] each; the images are read once."""
    levels = np.array([(image.mean(), image.std()) for image in faces.images])
    return levels[:, 0], levels[:, 1]


def _markdown(
    path: Path,
    splits: dict[str, FaceSet],
    faces: FaceSet,
    exact: Sequence[Pair],
    near: Sequence[Pair],
    split_names: Sequence[str],
    means: Floats,
    contrasts: Floats,
) -> str:
    lines = [f"# {len(faces)} faces of `{utf8(str(path))}`", "", "| class | " + " | ".join(splits) + " |"]
    lines.append("| --- |" + " --- |" * len(splits))
    for label, emotion in enumerate(faces.classes):
        counts = [int((own.labels == label).sum()) for own in splits.values()]
        shares = [f"{n} ({n / len(own):.1%})" for n, own in zip(counts, splits.values(), strict=True)]
        lines.append(f"| {emotion} | {' | '.join(shares)} |")
    lines.append("| all | " + " | ".join(str(len(own)) for own in splits.values()) + " |")
    flat = int((contrasts < 1).sum())
    lines += ["", f"Mean grey of a face: {means.mean():.0f} of 255, between {means.min():.0f} and {means.max():.0f}."]
    lines[-1] += f" {flat} images are a single grey." if flat else ""
    lines += ["", "## Duplicates", ""]
    lines += [_summary("pixel for pixel", exact, faces, split_names), _summary("nearly", near, faces, split_names)]
    lines += ["", "`python -m train --drop-duplicates` leaves out the training faces that are in another split too,"]
    lines += ["exactly or nearly; `train.evaluate` reports accuracy with and without faces that are in training too."]
    return "\n".join(lines) + "\n"


def _summary(kind: str, pairs: Sequence[Pair], faces: FaceSet, split_names: Sequence[str]) -> str:
    """Return the number of pairs, the splits they are in, and how often their labels differ."""
    if not pairs:
        return f"- {kind}: no pairs."
    between = Counter(" and ".join(sorted({split_names[pair.first], split_names[pair.second]})) for pair in pairs)
    listed = [f"{count} {'between' if ' and ' in names else 'within'} {names}" for names, count in between.items()]
    conflicts = sum(faces.labels[pair.first] != faces.labels[pair.second] for pair in pairs)
    return f"- {kind}: {len(pairs)} pairs ({', '.join(listed)}); {conflicts} of them have two different labels."


if __name__ == "__main__":
    raise SystemExit(main())

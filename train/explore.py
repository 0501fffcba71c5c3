"""Look at a data set before learning from it: who is in it, how often, and who is in it twice.

python -m train.explore --data data/fer2013 --out report

Writes explore.md, duplicates.csv and pictures: classes.png, samples.png, brightness.png, duplicates.png.
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
from edge.labels import EMOTIONS
from train import duplicates, plots
from train.data import FaceSet, load
from train.duplicates import Pair
from train.extras import require
from train.progress import progress

FILES = ("explore.md", "duplicates.csv", "classes.png", "samples.png", "brightness.png", "duplicates.png")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.explore", __doc__)
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="folder of faces, or fer2013.csv")
    parser.add_argument("--strict", action="store_true", help="end at a damaged picture or row, not skip it")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report and its pictures")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: explore(args))


def explore(args: argparse.Namespace) -> int:
    require("matplotlib", "matplotlib", "train")
    for name in FILES:
        check_writable(args.out / name)
    splits = load(args.data, strict=args.strict)
    if not splits:
        raise DataError(f"expected faces in {args.data}, found none")
    faces = _together(splits)
    home = [split for split, own in splits.items() for _ in own.names]
    with progress() as stage:
        exact = duplicates.exact(faces)
        near = duplicates.near(faces, stage("near duplicates", duplicates.blocks(len(faces))))
    plots.classes(splits, args.out / "classes.png")
    plots.samples(faces, args.out / "samples.png")
    plots.brightness(faces, args.out / "brightness.png")
    plots.pairs(faces, _across(near, home) or near, args.out / "duplicates.png")
    _write_pairs(args.out / "duplicates.csv", [*exact, *near], faces, home)
    text = _markdown(args.data, splits, faces, exact, near, home)
    with atomic_write(args.out / "explore.md") as tmp:
        tmp.write_text(text, encoding="utf-8")
    print(text)
    print(f"written: {', '.join(str(args.out / name) for name in FILES)}")
    return 0


def _together(splits: dict[str, FaceSet]) -> FaceSet:
    """All faces in one set, split after split."""
    parts = list(splits.values())
    return FaceSet(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(chain.from_iterable(part.names for part in parts)),
        "all",
    )


def _across(pairs: Sequence[Pair], home: Sequence[str]) -> list[Pair]:
    return [pair for pair in pairs if home[pair.first] != home[pair.second]]


def _write_pairs(path: Path, pairs: Sequence[Pair], faces: FaceSet, home: Sequence[str]) -> None:
    with atomic_write(path) as tmp, tmp.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        sides = ("split", "name", "emotion")
        writer.writerow([*sides, *(f"other_{side}" for side in sides), "kind", "correlation"])
        for pair in pairs:
            kind = "exact" if pair.exact else "mirrored" if pair.mirrored else "near"
            one, other = ((home[i], faces.names[i], EMOTIONS[faces.labels[i]]) for i in (pair.first, pair.second))
            writer.writerow([*one, *other, kind, f"{pair.correlation:.4f}"])


def _markdown(
    path: Path,
    splits: dict[str, FaceSet],
    faces: FaceSet,
    exact: Sequence[Pair],
    near: Sequence[Pair],
    home: Sequence[str],
) -> str:
    lines = [f"# {len(faces)} faces of `{path}`", "", "| emotion | " + " | ".join(splits) + " |"]
    lines.append("| --- |" + " --- |" * len(splits))
    for label, emotion in enumerate(EMOTIONS):
        counts = [int((own.labels == label).sum()) for own in splits.values()]
        shares = [f"{n} ({n / len(own):.1%})" for n, own in zip(counts, splits.values(), strict=True)]
        lines.append(f"| {emotion} | {' | '.join(shares)} |")
    lines.append("| all | " + " | ".join(str(len(own)) for own in splits.values()) + " |")
    means = faces.images.mean(axis=(1, 2))
    flat = int((faces.images.std(axis=(1, 2)) < 1).sum())
    lines += ["", f"Mean grey of a face: {means.mean():.0f} of 255, between {means.min():.0f} and {means.max():.0f}."]
    lines[-1] += f" {flat} pictures are one grey all over." if flat else ""
    lines += ["", "## Twice in the set", ""]
    lines += [_told("pixel for pixel", exact, faces, home), _told("nearly", near, faces, home)]
    lines += ["", "`python -m train --drop-duplicates` leaves out the training faces that are in another split too,"]
    lines += ["exactly or nearly; `train.evaluate` reports accuracy with and without the faces that are in training."]
    return "\n".join(lines) + "\n"


def _told(how: str, pairs: Sequence[Pair], faces: FaceSet, home: Sequence[str]) -> str:
    """How many pairs, between which splits, and how often their labels differ."""
    if not pairs:
        return f"- {how}: no pairs."
    between = Counter(" and ".join(sorted({home[pair.first], home[pair.second]})) for pair in pairs)
    listed = [f"{count} {'between' if ' and ' in where else 'within'} {where}" for where, count in between.items()]
    unlike = sum(faces.labels[pair.first] != faces.labels[pair.second] for pair in pairs)
    return f"- {how}: {len(pairs)} pairs ({', '.join(listed)}); {unlike} of them have two different labels."


if __name__ == "__main__":
    raise SystemExit(main())

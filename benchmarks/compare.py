"""What changed from one benchmark to another, beyond noise? Exit status 1 where something became worse.

python -m benchmarks.compare old/results.json new/results.json
python -m benchmarks.compare benchmarks/reference/BOARD report --tolerance 0.2

Times are compared on the same kind of machine and the same clip alone: a change counts where the intervals of the two
runs lie apart (95%; of start, loading and memory the range of their repetitions) and the values differ by more than the
tolerance. Accuracy is compared face by face (McNemar), on the same faces alone. p99, the live figures and --sustained
are not compared: too few measurements stand behind them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.blocks import Table, plain
from benchmarks.report.content import CERTAIN
from benchmarks.report.tables import faces, frame
from edge.arguments import ArgumentParser, positive
from edge.errors import DataError, exit_status
from edge.labels import EMOTIONS
from train.metrics import mcnemar

Results = dict[str, Any]
WORSE, BETTER, SAME, UNKNOWN = "WORSE", "better", "-", "no interval"
EXACT = 0.01  # for what does not vary from run to run: a file's size
MACHINE = ("board", "processor", "machine", "cores")


@dataclass(frozen=True)
class Change:
    """One figure in both runs. `of` is the model or the cell of the loop."""

    of: str
    what: str
    old: str
    new: str
    verdict: str


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.compare", __doc__)
    for name in ("old", "new"):
        parser.add_argument(name, type=Path, help="results.json, or the folder that it is in")
    parser.add_argument("--tolerance", type=positive, default=0.1, help="relative change of a time that is let pass")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: compare(args))


def compare(args: argparse.Namespace) -> int:
    old, new = read(args.old), read(args.new)
    try:
        changes = list(_changes(old, new, args.tolerance, args.new))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(
            f"expected two results.json of this version, found one that lacks something ({what})"
        ) from error
    rows = [[change.of, change.what, change.old, change.new, change.verdict] for change in changes]
    print(plain(Table(["of", "what", "old", "new", "verdict"], rows)))
    worse = sum(change.verdict == WORSE for change in changes)
    print(f"\n{worse} worse, {sum(change.verdict == BETTER for change in changes)} better, of {len(changes)} compared")
    return 1 if worse else 0


def read(path: Path) -> Results:
    """results.json of a benchmark; DataError for anything else."""
    file = path / "results.json" if path.is_dir() else path
    try:
        results: Results = json.loads(file.read_text(encoding="utf-8"))
        if not {"host", "models", "pipeline", "start", "clip", "dataset"} <= set(results):
            raise ValueError("it lacks what this version writes")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"expected the results.json of a benchmark, cannot use {file}: {error}") from error
    return results


def _changes(old: Results, new: Results, tolerance: float, named: Path) -> Iterator[Change]:
    pairs = [(before, after) for before in old["models"] for after in new["models"] if before["name"] == after["name"]]
    if not pairs:
        there = ", ".join(model["name"] for model in old["models"])
        raise DataError(f"expected models of both runs with the same names ({there}), found none of them in {named}")
    alike = all(old["host"].get(key) == new["host"].get(key) for key in MACHINE)
    if not alike:
        print("other machines: times and memory are not compared\n")
    same_faces = bool(old["dataset"] and new["dataset"]) and old["dataset"]["sha256"] == new["dataset"]["sha256"]
    if not same_faces:
        print("not the same faces in both: accuracy is not compared\n")
    for one, other, which in ((old, new, "old"), (new, old, "new")):
        for lone in sorted(_keys(one) - _keys(other)):
            print(f"in the {which} run alone: {lone}")
    for before, after in pairs:
        size, new_size = before["size_bytes"], after["size_bytes"]
        found = verdict(size, new_size, [size] * 2, [new_size] * 2, EXACT)
        yield Change(before["name"], "bytes", str(size), str(new_size), found)
        if same_faces:
            yield from _truth(before, after, old["dataset"]["labels"])
        if alike:
            yield _ranged(before["name"], "load ms", before, after, "load_ms", tolerance)
            yield _ranged(before["name"], "resident MB", before, after, "rss_mb", tolerance)
            yield from _times(before, after, tolerance)
    if alike:
        yield _ranged("edge/run.py", "start s", old["start"], new["start"], "seconds", tolerance)
        if old["clip"]["sha256"] == new["clip"]["sha256"]:
            yield from _loops(old, new, tolerance)
        else:
            print("not the same clip in both: the loop is not compared")


def _keys(results: Results) -> set[str]:
    """What a run has figures on: its models, and its loop's cells."""
    return {str(model["name"]) for model in results["models"]} | set(map(_cell_key, results["pipeline"]))


def _cell_key(cell: Results) -> str:
    return f"{cell['model']} {cell['detector']} {frame(cell)} {faces(cell)}"


def _ranged(of: str, what: str, before: Results, after: Results, key: str, tolerance: float) -> Change:
    """A figure of a few repetitions, whose range stands for an interval; less is better."""
    old, new = before[key], after[key]
    if old is None or new is None:
        return Change(of, what, "-", "-", SAME)
    found = verdict(old, new, before[f"{key}_range"], after[f"{key}_range"], tolerance)
    return Change(of, what, f"{old:.2f}", f"{new:.2f}", found)


def _truth(before: Results, after: Results, labels: str) -> Iterator[Change]:
    """Accuracy and, where it changed by more than chance, the recall of an emotion."""
    truth = np.array(list(labels), dtype=int)
    rights = [np.array(list(model["predictions"]), dtype=int) == truth for model in (before, after)]
    kinds = [("accuracy", np.ones(len(truth), dtype=bool), CERTAIN)]
    kinds += [(f"recall of {emotion}", truth == i, CERTAIN / len(EMOTIONS)) for i, emotion in enumerate(EMOTIONS)]
    for what, of, certain in kinds:
        old, new = (float(right[of].mean()) for right in rights)
        differs = mcnemar(rights[1][of], rights[0][of]) < certain
        if differs or what == "accuracy":
            found = (BETTER if new > old else WORSE) if differs else SAME
            yield Change(before["name"], what, f"{old:.2%}", f"{new:.2%}", found)


def _times(before: Results, after: Results, tolerance: float) -> Iterator[Change]:
    for threads in sorted(set(before["latency_ms"]) & set(after["latency_ms"]), key=int):
        old, new = before["latency_ms"][threads], after["latency_ms"][threads]
        for name in ("p50", "p95"):
            if old[name] is not None and new[name] is not None:
                found = verdict(old[name], new[name], old[f"{name}_ci95"], new[f"{name}_ci95"], tolerance)
                what = f"{name} ms, {threads} thread(s)"
                yield Change(before["name"], what, f"{old[name]:.3f}", f"{new[name]:.3f}", found)


def _loops(old: Results, new: Results, tolerance: float) -> Iterator[Change]:
    """Frames a second. Not `times its limit`: that grows where a library becomes faster."""
    after = {_cell_key(cell): cell for cell in new["pipeline"]}
    for before in old["pipeline"]:
        if (cell := after.get(_cell_key(before))) is not None:
            pair = before["fps_ci95"], cell["fps_ci95"]
            found = verdict(before["fps"], cell["fps"], *pair, tolerance, less_is_better=False)
            yield Change(_cell_key(before), "FPS", f"{before['fps']:.0f}", f"{cell['fps']:.0f}", found)


def verdict(
    old: float,
    new: float,
    old_ci95: list[float] | None,
    new_ci95: list[float] | None,
    tolerance: float,
    less_is_better: bool = True,
) -> str:
    """WORSE or better where the change is beyond the tolerance and the intervals lie apart; without them, neither."""
    if not old_ci95 or not new_ci95:
        return UNKNOWN
    if abs(new - old) <= tolerance * abs(old) or (old_ci95[0] <= new_ci95[1] and new_ci95[0] <= old_ci95[1]):
        return SAME
    return WORSE if (new > old) is less_is_better else BETTER


if __name__ == "__main__":
    raise SystemExit(main())

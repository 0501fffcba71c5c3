"""Compare two benchmarks and report changes beyond noise; exit status 1 if something became worse.

python -m benchmarks.compare old/results.json new/results.json
python -m benchmarks.compare benchmarks/reference/BOARD report --tolerance 0.2

Times are compared on the same kind of machine and the same clip only. A change counts if the intervals of the two runs
do not overlap (95% confidence; for start-up, loading and memory, the range of the repetitions) and the values differ by
more than the tolerance. Accuracy is compared face by face (McNemar), on the same faces only. p99, the live camera and
sustained load are not compared: they rest on too few measurements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.codec import from_json
from benchmarks.report import tables
from benchmarks.report.blocks import Table, plain
from benchmarks.report.notes import SIGNIFICANCE
from benchmarks.results import Estimate, Interval, ModelResult, Repeated, Results
from edge.arguments import ArgumentParser, positive
from edge.errors import DataError, exit_status
from edge.labels import EMOTIONS
from train.metrics import mcnemar

WORSE = "WORSE"
BETTER = "better"
SAME = "-"
UNKNOWN = "no interval"
MACHINE = ("board", "processor", "machine", "cores")  # the same kind of machine, whatever its load and versions
SIZE_TOLERANCE = 0.01  # file sizes do not vary from run to run


@dataclass(frozen=True)
class Options:
    old: Path
    new: Path
    tolerance: float


@dataclass(frozen=True)
class Common:
    """Hold the common parts of two runs; `labels` are those of the faces, None if the faces differ."""

    models: Sequence[tuple[ModelResult, ModelResult]]
    labels: str | None
    machine: bool
    clip: bool
    start: bool


@dataclass(frozen=True)
class Change:
    """Hold one metric of a model, or of a case of the pipeline, in both runs."""

    subject: str
    metric: str
    old: str
    new: str
    verdict: str


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.compare", __doc__)
    for name in ("old", "new"):
        parser.add_argument(name, type=Path, help="results.json, or its folder")
    parser.add_argument("--tolerance", type=positive, default=0.1, help="relative change of a time that is ignored")
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: compare(options))


def compare(options: Options) -> int:
    """Print all changes; return 1 if something became worse."""
    old = read_results(options.old)
    new = read_results(options.new)
    common = find_common(old, new)
    if not common.models:
        names = ", ".join(model.name for model in old.models)
        raise DataError(f"expected models with the same names in both runs ({names}), found none in {options.new}")
    for note in [*_not_compared(common), *_in_one_run(old, new)]:
        print(note)
    changes = list(_changes(old, new, common, options.tolerance))
    rows = [[change.subject, change.metric, change.old, change.new, change.verdict] for change in changes]
    print(plain(Table(["subject", "metric", "old", "new", "change"], rows)))
    verdicts = [change.verdict for change in changes]
    print(f"\n{verdicts.count(WORSE)} worse, {verdicts.count(BETTER)} better, of {len(changes)} compared")
    return 1 if WORSE in verdicts else 0


def read_results(path: Path) -> Results:
    """Read results.json, or the one in a folder. Raises DataError for anything else."""
    file = path / "results.json" if path.is_dir() else path
    try:
        return from_json(Results, json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, DataError) as error:
        raise DataError(f"expected the results.json of a benchmark, cannot use {file}: {error}") from error


def find_common(old: Results, new: Results) -> Common:
    new_models = {model.name: model for model in new.models}
    return Common(
        models=[(model, new_models[model.name]) for model in old.models if model.name in new_models],
        labels=old.dataset.labels if old.dataset and new.dataset and old.dataset.sha256 == new.dataset.sha256 else None,
        machine=all(dict(old.host).get(key) == dict(new.host).get(key) for key in MACHINE),
        clip=old.clip.sha256 == new.clip.sha256,
        start=old.start.detector == new.start.detector,
    )


def _not_compared(common: Common) -> Iterator[str]:
    if not common.machine:
        yield "not the same machine: times and memory are not compared"
    if common.labels is None:
        yield "not the same faces: accuracy is not compared"
    if not common.clip:
        yield "not the same clip: throughput is not compared"
    if not common.start:
        yield "not the same detector at start-up: start-up is not compared"


def _in_one_run(old: Results, new: Results) -> Iterator[str]:
    for results, other, name in ((old, new, "old"), (new, old, "new")):
        for subject in sorted(_subjects(results) - _subjects(other)):
            yield f"only in the {name} run: {subject}"


def _subjects(results: Results) -> set[str]:
    return {*(model.name for model in results.models), *_fps(results)}


def _fps(results: Results) -> dict[str, Estimate]:
    """Return the throughput by the name of the case."""
    return {tables.case_name(result.case, " "): result.fps for result in results.pipeline}


def _changes(old: Results, new: Results, common: Common, tolerance: float) -> Iterator[Change]:
    for before, after in common.models:
        yield _size(before, after)
        if common.labels is not None:
            yield from _accuracy(before, after, common.labels)
        if common.machine:
            yield _repeated(before.name, "load ms", before.loading.load_ms, after.loading.load_ms, tolerance)
            yield _repeated(before.name, "memory MB", before.loading.rss_mb, after.loading.rss_mb, tolerance)
            yield from _latency(before, after, tolerance)
    if common.machine and common.start:
        yield _repeated("edge/run.py", "start-up s", old.start.seconds, new.start.seconds, tolerance)
    if common.machine and common.clip:
        yield from _throughput(_fps(old), _fps(new), tolerance)


def _size(before: ModelResult, after: ModelResult) -> Change:
    old = before.info.size_bytes
    new = after.info.size_bytes
    return Change(before.name, "bytes", str(old), str(new), verdict(old, new, (old, old), (new, new), SIZE_TOLERANCE))


def _repeated(subject: str, metric: str, old: Repeated | None, new: Repeated | None, tolerance: float) -> Change:
    if old is None or new is None:
        return Change(subject, metric, "-", "-", SAME)
    change = verdict(old.value, new.value, old.range, new.range, tolerance)
    return Change(subject, metric, f"{old.value:.2f}", f"{new.value:.2f}", change)


def _accuracy(before: ModelResult, after: ModelResult, labels: str) -> Iterator[Change]:
    """Yield the change of accuracy and, where it is significant, of the recall of an emotion."""
    if not before.scores or not after.scores:
        return
    targets = _digits(labels)
    old_correct = _digits(before.scores.predictions) == targets
    new_correct = _digits(after.scores.predictions) == targets
    subsets = [("accuracy", np.ones(len(targets), dtype=bool), SIGNIFICANCE)]
    subsets += [
        (f"recall of {emotion}", targets == i, SIGNIFICANCE / len(EMOTIONS)) for i, emotion in enumerate(EMOTIONS)
    ]
    for metric, subset, threshold in subsets:
        old = float(old_correct[subset].mean())
        new = float(new_correct[subset].mean())
        significant = mcnemar(new_correct[subset], old_correct[subset]) < threshold
        if significant or metric == "accuracy":
            direction = BETTER if new > old else WORSE
            yield Change(before.name, metric, f"{old:.2%}", f"{new:.2%}", direction if significant else SAME)


def _digits(text: str) -> npt.NDArray[np.int64]:
    return np.array(list(text), dtype=np.int64)


def _latency(before: ModelResult, after: ModelResult, tolerance: float) -> Iterator[Change]:
    for threads in sorted(set(before.latency_ms) & set(after.latency_ms), key=int):
        old = before.latency_ms[threads]
        new = after.latency_ms[threads]
        for name, old_p, new_p in (("p50", old.p50, new.p50), ("p95", old.p95, new.p95)):
            if old_p and new_p:
                change = verdict(old_p.value, new_p.value, old_p.ci95, new_p.ci95, tolerance)
                metric = f"{name} ms, {threads} thread(s)"
                yield Change(before.name, metric, f"{old_p.value:.3f}", f"{new_p.value:.3f}", change)


def _throughput(old: dict[str, Estimate], new: dict[str, Estimate], tolerance: float) -> Iterator[Change]:
    """Yield the changes in FPS. The ratio to the lower bound is left out: it grows where a library becomes faster."""
    for case, before in old.items():
        if after := new.get(case):
            change = verdict(before.value, after.value, before.ci95, after.ci95, tolerance, less_is_better=False)
            yield Change(case, "FPS", f"{before.value:.0f}", f"{after.value:.0f}", change)


def verdict(
    old: float,
    new: float,
    old_interval: Interval | None,
    new_interval: Interval | None,
    tolerance: float,
    less_is_better: bool = True,
) -> str:
    """Return WORSE or BETTER if the change exceeds the tolerance and the intervals do not overlap, else SAME."""
    if not old_interval or not new_interval:
        return UNKNOWN
    overlap = old_interval[0] <= new_interval[1] and new_interval[0] <= old_interval[1]
    if overlap or abs(new - old) <= tolerance * abs(old):
        return SAME
    return WORSE if (new > old) is less_is_better else BETTER


if __name__ == "__main__":
    raise SystemExit(main())

"""Model files side by side: size, loading, memory, latency and how much of the machine they use.

Each is in a process of its own, and they take turns in short rounds, every other one in reverse order, so that a clock
that drifts or a neighbour that wakes up hits all of them alike.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import estimates
from benchmarks.measure.worker import PEAK, Worker, open_worker, peak_products
from edge.backend import open_backend
from edge.backends.base import Backend
from edge.fastest import BUDGET
from edge.preprocess import to_input
from edge.timing import WARM_UP
from edge.values import Image
from train.progress import Advance

ROUND = 40  # timed inferences a turn
LEAD = 3  # before them, untimed: the caches are still another model's
PAUSE_S = 0.01  # between turns: thread pools go on spinning for a while
PEAK_ROUND = 3  # products a turn
STARTS = 3  # of each process, for the medians of loading


def open_all(files: Sequence[Path]) -> tuple[list[Backend], list[dict[str, Any]]]:
    """Open the models on one thread, float32 first; of each what its file says, and what it is to be compared with."""
    once = {file.resolve(): file for file in files}.values()
    opened = [(open_backend(file, 1), file) for file in once]
    opened.sort(key=lambda item: item[0].card.precision != "float32")
    described: list[dict[str, Any]] = [
        {
            "file": _short(file),
            "format": file.suffix[1:],
            "precision": backend.card.precision,
            "runtime": backend.name,
            "size_bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "keras_sha256": backend.card.keras_sha256,
            "macs": backend.card.macs,
            "accuracy_on_card": backend.card.validation.get("accuracy"),
        }
        for backend, file in opened
    ]
    names = [Path(model["file"]).name for model in described]
    for model, name in zip(described, names, strict=True):
        model["name"] = name if names.count(name) == 1 else model["file"]
        model["base"] = _base(model, described)
    return [backend for backend, _ in opened], described


def _short(file: Path) -> str:
    """The path as seen from here, where the file is below: reports travel, machines do not."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _base(model: dict[str, Any], models: list[dict[str, Any]]) -> str | None:
    """The float32 file of the same Keras model and format: then the precision is all that differs. None without one."""
    same = ("keras_sha256", "format")
    for other in models:
        alike = model["keras_sha256"] and all(other[key] == model[key] for key in same)
        if alike and other["precision"] == "float32" and other is not model:
            return str(other["file"])
    return None


def time_all(
    models: list[dict[str, Any]],
    backends: Sequence[Backend],
    faces: Sequence[Image],
    rounds: int,
    threads: Sequence[int],
    advance: Advance,
) -> dict[str, float]:
    """Add to each model what loading and an inference take; returns the machine's peak in MAC/s by threads.

    `faces` are uint8, grey or BGR, of any size. `advance` is called for each round of each number of threads.
    """
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        inputs = [_write_inputs(Path(folder), backend, faces) for backend in backends]
        loads = _loads(models, inputs)
        for model, loaded in zip(models, loads, strict=True):
            model |= loaded | {"latency_ms": {}}
        for count in threads:
            with contextlib.ExitStack() as stack:
                files = [(model["file"], path) for model, path in zip(models, inputs, strict=True)]
                workers = [stack.enter_context(open_worker(file, count, path)) for file, path in files]
                peak = stack.enter_context(open_worker(PEAK, count, inputs[0]))
                first = [worker.time(WARM_UP) for worker in workers]
                times, products = _rounds(workers, peak, rounds, advance)
            peaks[str(count)] = 1000 * peak_products() / min(products)
            for i, model in enumerate(models):
                base = next((j for j, other in enumerate(models) if other["file"] == model["base"]), None)
                against = None if base is None else estimates.median_ratio(times[base], times[i])
                summary = _summary(times[i], first[i], model["macs"], peaks[str(count)])
                model["latency_ms"][str(count)] = summary | {"times_as_fast_as_base": against}
    return peaks


def _write_inputs(folder: Path, backend: Backend, faces: Sequence[Image]) -> Path:
    card = backend.card
    path = folder / f"{card.input_size}-{card.face_size}.npy"
    if not path.exists():
        np.save(path, np.stack([to_input(face, card.input_size, card.face_size) for face in faces]))
    return path


def _loads(models: Sequence[dict[str, Any]], inputs: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Medians over a few fresh processes, and between which values they are."""
    for model, path in zip(models, inputs, strict=True):
        found = []
        for _ in range(STARTS):
            with open_worker(model["file"], 1, path) as worker:
                found.append(worker.loaded)
        known = {name: [loaded[name] for loaded in found if loaded[name] is not None] for name in found[0]}
        medians = {name: float(np.median(values)) if values else None for name, values in known.items()}
        yield medians | {f"{name}_range": [min(values), max(values)] for name, values in known.items() if values}


def _rounds(
    workers: Sequence[Worker], peak: Worker, rounds: int, advance: Advance
) -> tuple[list[estimates.Floats], list[float]]:
    """Times in ms [rounds, ROUND] of each worker, and those of the peak's products, all taking turns."""
    times: list[list[list[float]]] = [[] for _ in workers]
    products: list[float] = []
    for turn in range(rounds):
        order = range(len(workers))
        for i in order if turn % 2 == 0 else reversed(order):
            time.sleep(PAUSE_S)
            times[i].append(workers[i].time(LEAD + ROUND)[LEAD:])
        time.sleep(PAUSE_S)
        products += peak.time(PEAK_ROUND)
        advance()
    return [np.array(rows) for rows in times], products


def _summary(times: estimates.Floats, first: Sequence[float], macs: int | None, peak: float) -> dict[str, Any]:
    later = float(np.median(times))
    return {
        **estimates.percentiles(times),
        "runs": times.size,
        "per_second": 1000 / float(times.mean()),
        "quantiles": [round(float(value), 4) for value in np.percentile(times, np.arange(101))],
        "warm_up": {
            "given": len(first),
            "first_ms": first[0],
            "needed": estimates.settled_after(first, later),
            "first_to_rest": estimates.first_to_rest(times),
        },
        "share_of_peak": 1000 * macs / later / peak if macs else None,
    }


def to_deploy(models: Sequence[dict[str, Any]]) -> int:
    """Number of the fastest model, on one thread, of those that are nearly as true as the truest.

    By the accuracy measured here or, without a data set, by that on the model's card.
    """

    def accuracy(i: int) -> float:
        return float(models[i].get("accuracy", models[i]["accuracy_on_card"]) or 0.0)

    best = max(map(accuracy, range(len(models))))
    near = [i for i in range(len(models)) if accuracy(i) >= best - BUDGET]
    return min(near, key=lambda i: models[i]["latency_ms"]["1"]["p50"])

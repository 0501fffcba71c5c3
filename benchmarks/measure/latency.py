"""Measure loading, memory and latency of the models, and how much of the machine's peak they use.

Each model is in a process of its own. They take turns in short rounds, every other round in reverse order, so that a
drifting clock or a busy neighbour affects all of them alike.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measure import estimates
from benchmarks.measure.models import Candidate
from benchmarks.measure.worker import PEAK, PEAK_MACS, LoadSample, Worker, open_worker
from benchmarks.results import Latency, Loading, Repeated, WarmUp
from edge.preprocess import to_input
from edge.timing import WARM_UP_RUNS
from edge.values import Image
from train.progress import Advance

TIMED_PER_TURN = 40  # timed inferences
UNTIMED_PER_TURN = 3  # inferences at the start of a turn, while the caches still hold another model
PAUSE_S = 0.01  # between turns: thread pools go on spinning for a while
PRODUCTS_PER_TURN = 3  # of the peak
PROCESSES = 3  # for the medians of loading


@contextlib.contextmanager
def input_files(models: Sequence[Candidate], faces: Sequence[Image]) -> Iterator[list[Path]]:
    """Give a .npy file of inputs for each model; `faces` are uint8, grey or BGR, of any size."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for model in models:
            card = model.backend.card
            path = Path(folder) / f"{card.input_size}-{card.face_size}-{card.colour}.npy"
            if not path.exists():
                inputs = [to_input(face, card.input_size, card.face_size, card.colour) for face in faces]
                np.save(path, np.stack(inputs))
            paths.append(path)
        yield paths


def measure_loading(model: Candidate, inputs: Path) -> Loading:
    """Load a model in a few fresh processes and return the medians."""
    samples: list[LoadSample] = []
    for _ in range(PROCESSES):
        with open_worker(model.info.file, 1, inputs) as worker:
            assert worker.loading, "only the peak has nothing to load"
            samples.append(worker.loading)
    return Loading(
        load_ms=repeated([sample.load_ms for sample in samples]),
        cold_ms=repeated([sample.cold_ms for sample in samples]),
        rss_mb=_repeated_if_known([sample.rss_mb for sample in samples]),
        rss_empty_mb=_repeated_if_known([sample.rss_empty_mb for sample in samples]),
    )


def repeated(values: Sequence[float]) -> Repeated:
    return Repeated(statistics.median(values), (min(values), max(values)))


def _repeated_if_known(values: Sequence[float | None]) -> Repeated | None:
    known = [value for value in values if value is not None]
    return repeated(known) if known else None


def measure_latency(
    models: Sequence[Candidate], inputs: Sequence[Path], rounds: int, threads: int, advance: Advance
) -> tuple[list[Latency], float]:
    """Return each model's latency on so many threads, and the machine's peak in multiply-adds per second.

    `advance` is called after each round.
    """
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(open_worker(model.info.file, threads, path))
            for model, path in zip(models, inputs, strict=True)
        ]
        peak = stack.enter_context(open_worker(PEAK, threads, inputs[0]))
        warm_up = [worker.time(WARM_UP_RUNS) for worker in workers]
        times, products = _take_turns(workers, peak, rounds, advance)
    peak_macs_per_s = 1000 * PEAK_MACS / min(products)
    by_file = {model.info.file: own for model, own in zip(models, times, strict=True)}
    latencies = [
        _latency(own, first, model.info.macs, peak_macs_per_s, by_file.get(model.info.base or ""))
        for model, own, first in zip(models, times, warm_up, strict=True)
    ]
    return latencies, peak_macs_per_s


def _take_turns(
    workers: Sequence[Worker], peak: Worker, rounds: int, advance: Advance
) -> tuple[list[estimates.Samples], list[float]]:
    """Return times in ms [rounds, TIMED_PER_TURN] of each worker, and those of the peak's products."""
    times: list[list[list[float]]] = [[] for _ in workers]
    products: list[float] = []
    for turn in range(rounds):
        order = range(len(workers))
        for i in order if turn % 2 == 0 else reversed(order):
            time.sleep(PAUSE_S)
            times[i].append(workers[i].time(UNTIMED_PER_TURN + TIMED_PER_TURN)[UNTIMED_PER_TURN:])
        time.sleep(PAUSE_S)
        products += peak.time(PRODUCTS_PER_TURN)
        advance()
    return [np.array(rows) for rows in times], products


def _latency(
    times: estimates.Samples,
    warm_up: Sequence[float],
    macs: int | None,
    peak_macs_per_s: float,
    base_times: estimates.Samples | None,
) -> Latency:
    median = estimates.percentile(times, 50)
    assert median, "a turn has more than ten inferences"
    return Latency(
        p50=median,
        p95=estimates.percentile(times, 95),
        p99=estimates.percentile(times, 99),
        runs=times.size,
        per_second=1000 / float(times.mean()),
        quantiles=tuple(round(float(value), 4) for value in np.percentile(times, np.arange(101))),
        warm_up=WarmUp(
            given=len(warm_up),
            first_ms=warm_up[0],
            needed=estimates.settled_after(warm_up, median.value),
            first_to_rest=estimates.first_to_rest(times),
        ),
        share_of_peak=1000 * macs / median.value / peak_macs_per_s if macs else None,
        times_as_fast_as_base=None if base_times is None else estimates.median_ratio(base_times, times),
    )

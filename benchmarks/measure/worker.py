"""Time one model, or the machine's peak, in a process of its own.

No model then shares memory, caches or a thread pool with another, and resident memory is this model's alone. The
process first reports the time and memory of loading. Then it reads lines with a number of inferences, and answers each
with a line of JSON: their times in ms. `open_worker` is the caller's end.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.codec import from_json, to_json
from benchmarks.measure.child import Child, open_child
from edge.backend import open_backend
from edge.errors import EmotionError, ModelError
from edge.host import resident_mb
from edge.values import Image

CHECKOUT = Path(__file__).resolve().parents[2]
PEAK = "peak"  # in place of a model's file
PEAK_SIDE = 512  # of the float32 matrices whose product is the machine's peak
PEAK_MACS = PEAK_SIDE**3  # multiply-adds of one call
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class LoadSample:
    """Hold the time and memory of loading in one process; for the fields see benchmarks.results.Loading."""

    load_ms: float
    cold_ms: float
    rss_mb: float | None
    rss_empty_mb: float | None


class Worker:
    """Hold the caller's end of a worker process. `loading` is None for the peak."""

    def __init__(self, child: Child) -> None:
        self._child = child
        answer = child.ask()
        if answer and "error" in answer:
            raise ModelError(answer["error"])
        self.loading = from_json(LoadSample, answer) if answer else None

    def time(self, runs: int) -> list[float]:
        """Run so many inferences, one after another, and return their times in ms."""
        times: list[float] = self._child.ask(str(runs))
        return times


@contextlib.contextmanager
def open_worker(target: str, threads: int, inputs: Path) -> Iterator[Worker]:
    """Start a process for a model file, or for PEAK; `inputs` is a .npy file of the model's inputs.

    Raises ModelError where the model cannot be loaded or the process dies.
    """
    paths = [str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **dict.fromkeys(BLAS_THREADS, str(threads))}
    command = [sys.executable, "-m", "benchmarks.measure.worker", target, str(threads), str(inputs)]

    def error(reason: str) -> ModelError:
        return ModelError(f"the process that timed {target} on {threads} thread(s) ended: {reason}; try it alone")

    with open_child(command, error, environment) as child:
        yield Worker(child)


def serve(target: str, threads: int, inputs: str) -> None:
    """Answer until stdin ends: the worker's process."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # the runtimes print to stdout

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        call, loading = _load_peak() if target == PEAK else _load_model(Path(target), threads, np.load(inputs))
    except EmotionError as error:
        answer({"error": str(error)})
        return
    answer(to_json(loading))
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        answer(times)


def _load_model(path: Path, threads: int, inputs: Image) -> tuple[Callable[[], object], LoadSample]:
    """Return one inference without preprocessing: copy the input, run the network, copy the probabilities."""
    faces = cycle(inputs)
    empty_mb = resident_mb()
    start = time.perf_counter()
    backend = open_backend(path, threads)
    backend.run(next(faces))
    cold_ms = 1000 * (time.perf_counter() - start)
    loaded_mb = resident_mb()
    start = time.perf_counter()
    open_backend(path, threads)  # again, now that the runtime is imported
    load_ms = 1000 * (time.perf_counter() - start)
    return lambda: backend.run(next(faces)), LoadSample(load_ms, cold_ms, loaded_mb, empty_mb)


def _load_peak() -> tuple[Callable[[], object], None]:
    """Return the product of two float32 matrices by numpy's BLAS."""
    left, right = np.random.default_rng(0).random((2, PEAK_SIDE, PEAK_SIDE), dtype=np.float32)
    product = np.empty_like(left)
    return lambda: np.matmul(left, right, out=product), None


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])

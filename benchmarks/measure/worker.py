"""One model, or the machine's own peak, in a process of its own, timed when it is told to.

So no model's memory, caches or thread pool is another's, and resident memory is this model's alone. The process reads a
line with a number of inferences and answers with a line of JSON: their times in ms. Its first line tells what loading
took. `open_worker` is the other end.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure.child import Child, open_child
from edge.backend import open_backend
from edge.errors import EmotionError, ModelError
from edge.host import resident_mb
from edge.values import Image

ROOT = Path(__file__).resolve().parents[1]
PEAK = "peak"  # in place of a model's file
PEAK_SIDE = 512  # of the float32 matrices whose product is the machine's peak
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Worker:
    """The near end of a worker process."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.loaded: dict[str, Any] = child.ask()  # what loading took; empty for the peak
        if "error" in self.loaded:
            raise ModelError(self.loaded["error"])

    def time(self, runs: int) -> list[float]:
        """Milliseconds of so many inferences, one after another."""
        times: list[float] = self._child.ask(str(runs))
        return times


@contextlib.contextmanager
def open_worker(what: str, threads: int, faces: Path) -> Iterator[Worker]:
    """A process for a model file, or for PEAK; `faces` is a .npy file of its inputs. ModelError where it won't load."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **dict.fromkeys(BLAS_THREADS, str(threads))}
    command = [sys.executable, "-m", "benchmarks.measure.worker", what, str(threads), str(faces)]

    def died(why: str) -> ModelError:
        return ModelError(f"the process that timed {what} on {threads} thread(s) ended: {why}; try it alone")

    with open_child(command, died, environment) as child:
        yield Worker(child)


def peak_products() -> int:
    """Multiply-adds of one call of the peak's worker."""
    return PEAK_SIDE**3


def serve(what: str, threads: int, faces: str) -> None:
    """The far end."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else wants to print

    def answer(value: Any) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        call, loaded = _peak() if what == PEAK else _model(Path(what), threads, np.load(faces))
    except EmotionError as error:
        answer({"error": str(error)})
        return
    answer(loaded)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        answer(times)


def _model(path: Path, threads: int, faces: Image) -> tuple[Callable[[], object], dict[str, float | None]]:
    """One inference, preprocessing apart: the tensor's way in, the network, the probabilities' way out."""
    inputs, empty_mb, start = cycle(faces), resident_mb(), time.perf_counter()
    backend = open_backend(path, threads)
    backend.run(next(inputs))
    cold_ms, loaded_mb = 1000 * (time.perf_counter() - start), resident_mb()
    start = time.perf_counter()
    open_backend(path, threads)  # once more, now that the runtime is imported
    load_ms = 1000 * (time.perf_counter() - start)
    taken = {"load_ms": load_ms, "cold_ms": cold_ms, "rss_mb": loaded_mb, "rss_empty_mb": empty_mb}
    return lambda: backend.run(next(inputs)), taken


def _peak() -> tuple[Callable[[], object], dict[str, float | None]]:
    """The product of two float32 matrices, as fast as numpy's library can."""
    left, right = np.random.default_rng(0).random((2, PEAK_SIDE, PEAK_SIDE), dtype=np.float32)
    product = np.empty_like(left)
    return lambda: np.matmul(left, right, out=product), {}


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])

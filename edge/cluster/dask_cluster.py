"""Run functions on processes of this machine, or on the workers of a Dask scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any

from edge.errors import MissingExtra, UsageError

CONNECT_TIMEOUT = "10s"
COUNT_INTERVAL_S = 1.0
CLOSE_TIMEOUT_S = 1.0  # then a worker is killed in the midst of a batch, which would hold up the end of a run
# For the workers that this program starts. By default, Dask makes the C library return memory to the system after each
# picture (mallopt(3), M_TRIM_THRESHOLD), which costs a fifth of the time.
LOCAL_SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "MKL_NUM_THREADS": 1}
}


class DaskCluster:
    """Run functions on processes of this machine, or on the workers of a Dask scheduler."""

    def __init__(self, workers: int | str) -> None:
        """Start so many processes, or connect to a scheduler. Raises MissingExtra or UsageError."""
        try:
            import dask
            import distributed
        except ImportError as error:
            raise MissingExtra("dask.distributed", "cluster") from error
        self.ended: type[Exception] = distributed.KilledWorker
        for name in logging.root.manager.loggerDict:  # the lines of this program say what counts
            if name.startswith("distributed"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        self._closing = contextlib.ExitStack()
        address: Any = workers
        if isinstance(workers, int):
            with deaf_to_interrupts(), dask.config.set(LOCAL_SETTINGS):
                local = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    security=True,  # other users of this machine reach its ports: Dask runs what they send
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # serves health alone
                    silence_logs=logging.CRITICAL,
                )
            address = self._closing.enter_context(local)
            self._closing.callback(local.sync, _close_workers, local)
        try:
            self._client = self._closing.enter_context(
                distributed.Client(address, timeout=CONNECT_TIMEOUT, set_as_default=False)
            )
        except (OSError, ValueError) as error:
            raise UsageError(f"expected a Dask scheduler at {address}, cannot connect: {error}") from error

        self._workers = 0
        self._counted_s = -COUNT_INTERVAL_S

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        return self._client.submit(function, *args, pure=False)

    def workers(self) -> int:
        if time.monotonic() - self._counted_s > COUNT_INTERVAL_S:  # asking takes milliseconds
            self._workers = sum(self._client.nthreads().values())
            self._counted_s = time.monotonic()
        return self._workers

    def __enter__(self) -> DaskCluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.close()


async def _close_workers(local: Any) -> None:
    """Close the workers sooner than Dask does, which waits 4 s for a batch; what is left, Dask closes."""
    closing = (worker.close(timeout=CLOSE_TIMEOUT_S) for worker in local.workers.values())
    await asyncio.gather(*closing, return_exceptions=True)


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Start threads and processes that Ctrl-C does not reach: it is for this process, which ends them in order."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start, up to Python 3.11, would let the signal through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # they inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

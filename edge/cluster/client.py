"""Read the pictures of a source on many processes, of this machine or of a cluster, and write events in their order.

    edge-emotion photos/ --workers 4 --events photos.jsonl
    edge-emotion s3://bucket/photos --workers tcp://scheduler:8786 --events photos.jsonl

Dask runs batches of pictures on its workers, and repeats those of a worker that ends. A batch whose workers ended each
time is read once more by a child process of this one, which finds the picture that does it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from edge.cluster.progress import Progress
from edge.cluster.resume import Done, find_done
from edge.cluster.worker import Job, Outcome, Picture, read_batch
from edge.errors import EmotionError, MissingExtra, SourceError, UsageError
from edge.meter import Meter
from edge.options import RunOptions
from edge.sinks.background import NO_PICTURE
from edge.sinks.base import Sink
from edge.sources.base import Source
from edge.sources.pictures import Pictures, report_first_of_several
from edge.stopping import Stop
from edge.untrusted import utf8
from edge.values import Frame

OUTPUTS = ("events", "console")  # that need no pictures and no video
BATCH = 16  # pictures: a fraction of a second, of which sending them is a hundredth
BATCHES_A_WORKER = 4  # sent ahead, so that a slow batch does not hold up the others
MIN_BATCHES = 8
CONNECT_TIMEOUT = "10s"
COUNT_INTERVAL_S = 1.0
WAIT_S = 0.01


# Of workers that this program starts. Dask's own make the C library give memory back after each picture (mallopt(3),
# M_TRIM_THRESHOLD), which costs a fifth of the time.
LOCAL_SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1, "MKL_NUM_THREADS": 1}
}


class Cluster(Protocol):
    """Run functions on workers."""

    ended: type[Exception]  # raised by the result of a function whose workers ended each time

    def submit(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return a future with `done` and `result`."""
        ...

    def workers(self) -> int:
        """Return the number of functions that run at the same time."""
        ...


@dataclass(frozen=True)
class Plan:
    """Hold the pictures to read, in the source's order, and what the events file has already."""

    pictures: Sequence[Picture]
    done: Done
    source: Pictures
    repeated: int = 0  # of the pictures: they lie among those that are done, and were bad

    @property
    def kept_bytes(self) -> int:
        """Return how much of the events file stays."""
        return self.done.size

    def read(self, options: RunOptions, model: Path, sinks: Sequence[Sink], meter: Meter) -> None:
        """Read the pictures on the workers of the options, and write them to the sinks in their order."""
        assert options.workers is not None
        job = Job.of(options, model, self.source.load)
        if self.pictures:
            with DaskCluster(options.workers) as cluster:
                read_pictures(self, job, cluster, sinks, meter)


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


def make_plan(options: RunOptions, source: Source) -> Plan:
    """Return what a run has to read. Raises UsageError if its source or an output does not go with workers."""
    if not isinstance(source, Pictures):
        raise UsageError(f"expected pictures for --workers, found {source.name}; leave --workers out")
    others = [output.name for output in options.outputs if output.name not in OUTPUTS]
    if others:
        raise UsageError(f"expected no output but --events with --workers, found --{others[0]}; leave out one of them")
    pictures = [Picture(_absolute(file), source.name_of(file)) for file in source.pictures]
    done = find_done(options.outputs, (picture.name for picture in pictures))
    is_done = [utf8(picture.name) in done.names for picture in pictures]
    before_end = max((i + 1 for i, value in enumerate(is_done) if value), default=0)
    left = [picture for picture, value in zip(pictures, is_done, strict=True) if not value]
    if done.names:
        print(f"continuing: the events file has {sum(is_done):,} of {len(pictures):,} pictures", file=sys.stderr)
    return Plan(left, done, source, before_end - sum(is_done))


def _absolute(file: Any) -> Any:
    return file.absolute() if isinstance(file, Path) else file


def read_pictures(plan: Plan, job: Job, cluster: Cluster, sinks: Sequence[Sink], meter: Meter) -> None:
    """Read the pictures of a plan, write them to the sinks in their order, and show the progress on stderr.

    Frames are numbered as by one process: a picture that cannot be decoded has no number.
    """
    source = plan.source
    progress = Progress(len(plan.pictures))
    index = plan.done.frames
    last = index + (job.options.max_frames or len(plan.pictures))
    outcomes = read_in_order(cluster, job, plan.pictures, source.stop, lambda: progress.show(cluster.workers()))
    with contextlib.closing(outcomes), progress:
        for number, (picture, outcome) in enumerate(outcomes, start=1):
            progress.count = number
            if outcome.has_more or outcome.error:
                progress.clear()
            if outcome.has_more:
                report_first_of_several(picture.file)
            if outcome.error is None:
                frame = Frame(index, index / source.fps, 0.0, NO_PICTURE, picture.name)
                with meter.stage("output"):
                    for sink in sinks:
                        sink.write(frame, outcome.readings)
                meter.frame()
            else:
                source.skip(SourceError(outcome.error))
            index += outcome.error is None or (outcome.is_decoded and number > plan.repeated)
            if index == last:
                return


def read_in_order(
    cluster: Cluster, job: Job, pictures: Iterable[Picture], stop: Stop, wait: Callable[[], None]
) -> Generator[tuple[Picture, Outcome], None, None]:
    """Yield each picture with its outcome, in order, until `stop` is set; call `wait` many times a second meanwhile.

    A bounded number of batches is sent ahead. Raises EmotionError if the workers cannot read.
    """
    iterator = iter(pictures)
    batches = iter(lambda: list(islice(iterator, BATCH)), [])
    pending: deque[tuple[list[Picture], Any]] = deque()
    while not stop.is_set():
        room = max(MIN_BATCHES, BATCHES_A_WORKER * cluster.workers()) - len(pending)
        pending += [(batch, cluster.submit(read_batch, job, batch)) for batch in islice(batches, max(0, room))]
        if not pending:
            return
        batch, future = pending.popleft()
        if not _is_done(future, stop, wait):
            return
        try:
            yield from zip(batch, _result(future), strict=True)
        except cluster.ended:
            yield from _read_guarded(job, batch, stop, wait)


def _is_done(future: Any, stop: Stop, wait: Callable[[], None]) -> bool:
    """Wait for a future; return whether it is done, which it may not be when `stop` is set."""
    while not future.done():
        wait()
        if stop.wait(WAIT_S):
            return False
    wait()
    return True


def _result(future: Any) -> list[Outcome]:
    """Return the outcomes of a batch; raise EmotionError for what its user can mend."""
    try:
        outcomes: list[Outcome] = future.result()
    except ImportError as error:
        raise EmotionError(f"a worker lacks a package ({error}); install edge-emotion on every machine") from error
    except CancelledError as error:
        raise EmotionError("lost the Dask scheduler; the same command continues where this run ended") from error
    return outcomes


def _read_guarded(
    job: Job, pictures: Iterable[Picture], stop: Stop, wait: Callable[[], None]
) -> Iterator[tuple[Picture, Outcome]]:
    """Yield each picture with its outcome; those that end the process that reads them, as by a crash, are bad."""
    with contextlib.ExitStack() as stack:
        executor = None
        for picture in pictures:
            executor = executor or stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
            with deaf_to_interrupts():
                future = executor.submit(read_batch, job, [picture])
            if not _is_done(future, stop, wait):
                return
            try:
                yield picture, _result(future)[0]
            except BrokenExecutor:
                executor = None
                yield picture, Outcome(error=f"cannot read {picture.file}: it ends the process", is_decoded=False)

"""Read the pictures of a source on many processes, of this machine or of a cluster, and write events in their order.

    edge-emotion photos/ --workers 4 --events photos.jsonl
    edge-emotion s3://bucket/photos --workers tcp://scheduler:8786 --events photos.jsonl

Dask runs batches of pictures on its workers, and repeats those of a worker that ends. A batch whose workers ended each
time is read once more by a child process of this one, which finds the picture that does it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from edge.cluster.dask_cluster import DaskCluster, deaf_to_interrupts
from edge.cluster.progress import Progress
from edge.cluster.resume import Done, Notes, find_done, write_notes
from edge.cluster.worker import Job, Outcome, Picture, read_batch
from edge.errors import EmotionError, SourceError, UsageError
from edge.meter import Meter
from edge.options import RunOptions
from edge.pipeline import Pipeline
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
WAIT_S = 0.01


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
    repeated: int = 0  # the first of `pictures`, which an earlier run skipped: others that come later are done
    notes: Notes = field(default_factory=dict)  # for the next run; see edge.cluster.resume

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
                write_notes(options.outputs, self.notes)
                read_pictures(self, job, cluster, sinks, meter)


def make_plan(options: RunOptions, source: Source, model: Path, pipeline: Pipeline) -> Plan:
    """Return what a run has to read. Raises UsageError if its source or an output does not go with workers."""
    if not isinstance(source, Pictures):
        raise UsageError(f"expected pictures for --workers, found {source.name}; leave --workers out")
    others = [output.name for output in options.outputs if output.name not in OUTPUTS]
    if others:
        raise UsageError(f"expected no output but --events with --workers, found --{others[0]}; leave out one of them")
    pictures = [Picture(file, source.name_of(file)) for file in source.pictures]
    names = [utf8(picture.name) for picture in pictures]
    _check_names(names)
    notes = make_notes(options, source, model, pipeline)
    done = find_done(options.outputs, names, pipeline.classifier.card.labels, notes)
    is_done = [name in done.names for name in names]
    before_end = max((i + 1 for i, value in enumerate(is_done) if value), default=0)
    left = [picture for picture, value in zip(pictures, is_done, strict=True) if not value]
    if done.names:
        print(f"continuing: the events file has {sum(is_done):,} of {len(pictures):,} pictures", file=sys.stderr)
    return Plan(left, done, source, before_end - sum(is_done), notes)


def _check_names(names: Sequence[str]) -> None:
    """Raise UsageError if two pictures have one name in events, as one with a byte and one with its escape sequence."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(f"expected pictures that events can tell apart, found {count} named {name}; rename one")


def make_notes(options: RunOptions, source: Pictures, model: Path, pipeline: Pipeline) -> Notes:
    """Return where the pictures are, and what decides their readings: files by their contents."""
    files = {"--model": model, "--detector-model": options.detector_model, "--neutral": options.neutral}
    return {
        "the folder": utf8(source.place),
        "--detector": pipeline.detector.name,
        "--smallest": options.smallest,
        "--uncertain-below": options.uncertain_below,
        **{name: file and hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] for name, file in files.items()},
    }


def read_pictures(plan: Plan, job: Job, cluster: Cluster, sinks: Sequence[Sink], meter: Meter) -> None:
    """Read the pictures of a plan, write them to the sinks in their order, and show the progress on stderr.

    Frames are numbered as by one process: a picture that cannot be decoded has no number.
    """
    source = plan.source
    progress = Progress(len(plan.pictures))
    index = plan.done.frames
    last = index + (job.options.max_frames or len(plan.pictures))
    outcomes = read_in_order(cluster, job, plan.pictures, source.stop, lambda: progress.show(cluster.workers()))
    meter.start()
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

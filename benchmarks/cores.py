"""Measure what cores bring: frames a second by number of faces, and pictures a second by number of workers.

python -m benchmarks.cores
python -m benchmarks.cores --cores 1 2 4 --workers 1 2 4 8 --pictures photos/ --rounds 20

All configurations take turns in each round, so that other load on the machine is in all of them. Ratios are of medians,
with 95% confidence intervals from 10 rounds on. Workers need the extra cluster; `--workers 0` leaves them out. With
`--peer`, a Python that has fer, its rates stand beside these.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measure import estimates
from benchmarks.measure.clip import Clip, cut_frames, read_clip
from benchmarks.measure.peer import check_peer, open_peer
from benchmarks.report.blocks import Table, markdown
from edge.arguments import ArgumentParser, whole
from edge.backend import SHIPPED, open_backend
from edge.backends.base import Backend
from edge.classifier import Classifier
from edge.cluster.client import read_in_order
from edge.cluster.dask_cluster import DaskCluster
from edge.cluster.worker import Job, Picture, read_batch
from edge.detector import DETECTORS, open_detector, set_cores
from edge.errors import exit_status
from edge.host import cores
from edge.meter import Meter
from edge.options import parse_args as parse_run_args
from edge.picture import encode_picture, read_bytes
from edge.pipeline import Pipeline
from edge.sources.pictures import Pictures
from edge.stopping import Stop
from edge.values import Frame

GRIDS = {1: (1, 1), 2: (2, 1), 4: (2, 2)}  # faces -> columns and rows of the picture
WIDTH, HEIGHT = 640, 480
FRAMES = 60  # of a measurement: six detections
PICTURES = 256  # of a measurement, at least: several batches for each worker
ONE_PROCESS = "one process"
WITHOUT_DASK = ", without Dask"
PEER = "`fer`"
PEER_FRAMES = 6  # of a measurement: fer takes a hundred times as long

Row = tuple[str, ...]
Measure = Callable[[], int]  # returns how many frames or pictures it has read


@dataclass(frozen=True)
class Options:
    cores: Sequence[int]
    workers: Sequence[int]
    detector: str
    clip: str
    pictures: str | None
    rounds: int
    peer: str | None


def parse_args(argv: Sequence[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.cores", __doc__)
    counts = sorted({1, min(2, cores()), cores()})
    parser.add_argument("--cores", type=whole(1, 64), nargs="+", default=counts, metavar="N", help="that share faces")
    parser.add_argument("--workers", type=whole(0, 256), nargs="+", default=counts, metavar="N", help="processes")
    parser.add_argument("--detector", choices=list(DETECTORS), default="yunet", help="for both")
    parser.add_argument("--clip", default="demo", help="video of one face")
    parser.add_argument("--pictures", metavar="FOLDER", help="by default, frames of the clip as JPEG")
    parser.add_argument("--rounds", type=whole(1, 1000), default=10, metavar="N", help="of measurements")
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has fer, to read the same")
    return Options(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Print a table of frames by faces and cores, and one of pictures by workers."""
    if options.peer:
        check_peer(options.peer)
    clip = read_clip(options.clip, FRAMES)
    rows = [(str(faces), *row) for faces in GRIDS for row in _measure_faces(options, tile(clip, faces), faces)]
    print(markdown([Table(["faces", "cores", "frames a second", "times the first"], rows)]), flush=True)
    if any(options.workers):
        head = ["workers", "pictures a second", "times the first", "hours x workers for a million"]
        print(markdown([Table(head, _measure_pictures(options, clip))]), end="")
    return 0


def tile(clip: Clip, faces: int) -> list[Frame]:
    """Return the clip's frames at 640x480, each made of one, two or four moments of the clip."""
    columns, rows = GRIDS[faces]
    images = [frame.image for frame in cut_frames(clip, (WIDTH // columns, HEIGHT // rows), 1)]
    moments = [np.roll(np.arange(len(images)), -part * len(images) // faces) for part in range(faces)]
    frames = []
    for i in range(len(images)):
        parts = [images[moment[i]] for moment in moments]
        lines = [np.hstack(parts[start : start + columns]) for start in range(0, faces, columns)]
        frames.append(Frame(i, i / clip.fps, 0.0, np.vstack(lines)))
    return frames


def _measure_faces(options: Options, frames: Sequence[Frame], faces: int) -> list[Row]:
    """Measure the pipeline by cores, and its inferences alone: no pipeline gains more from cores than they do."""

    def run(pipeline: Pipeline) -> int:
        for frame in frames:
            pipeline.step(frame)
        return len(frames)

    measures: dict[str, Measure] = {
        str(count): partial(run, _open_pipeline(options.detector, count)) for count in options.cores
    }
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(max(options.cores)))
        backends = [open_backend(SHIPPED) for _ in range(max(options.cores))]
        for count in options.cores:
            measures[f"{count}, inferences alone"] = partial(_infer, executor, backends[:count], len(frames), faces)
        if options.peer:
            peer = stack.enter_context(open_peer(options.peer, [frame.image for frame in frames[:PEER_FRAMES]]))
            measures[PEER] = lambda: len(peer.time(range(PEER_FRAMES)))
        return [rate.cells for rate in _rates(measures, options.rounds)]


def _infer(executor: ThreadPoolExecutor, backends: Sequence[Backend], frames: int, faces: int) -> int:
    """Run the inferences of all frames, each core's share without a pause."""
    shares = [frames * len(range(worker, faces, len(backends))) for worker in range(len(backends))]
    list(executor.map(lambda backend, share: [backend.invoke() for _ in range(share)], backends, shares))
    return frames


def _open_pipeline(name: str, workers: int) -> Pipeline:
    detector = open_detector(name)
    set_cores(detector)
    return Pipeline(detector, Classifier(open_backend(SHIPPED)), Meter(), workers=workers)


def _measure_pictures(options: Options, clip: Clip) -> list[Row]:
    """Read the same pictures in this process and on clusters of each size, all of them open all the time."""
    with contextlib.ExitStack() as stack:
        folder = options.pictures or _write_pictures(clip, stack.enter_context(tempfile.TemporaryDirectory()))
        files = Pictures(folder).files
        count = max(PICTURES, len(files))
        pictures = [Picture(file.absolute(), file.name) for file in itertools.islice(itertools.cycle(files), count)]
        job = Job.of(parse_run_args(None, [folder, "--detector", options.detector]), SHIPPED, read_bytes)
        processes = {ONE_PROCESS: 1}
        measures: dict[str, Measure] = {ONE_PROCESS: lambda: len(read_batch(job, pictures))}
        for workers in filter(None, options.workers):
            cluster = stack.enter_context(DaskCluster(workers))
            measures[str(workers)] = partial(_read_on, cluster, job, pictures)
            bare = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))
            measures[f"{workers}{WITHOUT_DASK}"] = partial(_read_bare, bare, job, pictures, workers)
            processes |= {str(workers): workers, f"{workers}{WITHOUT_DASK}": workers}
        if options.peer:
            peer = stack.enter_context(open_peer(options.peer))
            measures[PEER] = lambda: len(peer.read([picture.file for picture in pictures[:PEER_FRAMES]]))
        rates = _rates(measures, options.rounds)
        hours = [processes.get(rate.name, 1) * 1e6 / rate.per_second / 3600 for rate in rates]
        return [(*rate.cells, f"{own:.1f}") for rate, own in zip(rates, hours, strict=True)]


def _read_on(cluster: DaskCluster, job: Job, pictures: Sequence[Picture]) -> int:
    return len(list(read_in_order(cluster, job, pictures, Stop(), lambda: None)))


def _read_bare(executor: ProcessPoolExecutor, job: Job, pictures: Sequence[Picture], workers: int) -> int:
    """Read an equal share on each process: no cluster on this machine is faster."""
    shares = [pictures[worker::workers] for worker in range(workers)]
    return sum(map(len, executor.map(read_batch, itertools.repeat(job), shares)))


def _write_pictures(clip: Clip, folder: str) -> str:
    for i, frame in enumerate(clip.frames):
        (Path(folder) / f"{i:03}.jpg").write_bytes(encode_picture(frame.image, ".jpg"))
    return folder


@dataclass(frozen=True)
class Rate:
    """Hold a measure's frames or pictures a second, by the median time, and the ratio to the first measure."""

    name: str
    per_second: float
    ratio: str

    @property
    def cells(self) -> Row:
        """Return a row of a table."""
        return self.name, f"{self.per_second:.1f}", self.ratio


def _rates(measures: Mapping[str, Measure], rounds: int) -> list[Rate]:
    """Let the measures take turns; return the rate of each."""
    times: dict[str, list[float]] = {name: [] for name in measures}  # seconds for one frame or picture
    for round_ in range(rounds + 1):
        for name, measure in measures.items():
            start = time.perf_counter()
            count = measure()
            if round_:  # the first one opens things
                times[name].append((time.perf_counter() - start) / count)
    samples = {name: np.array(values)[:, None] for name, values in times.items()}
    first = next(iter(samples.values()))
    rates = []
    for name, values in samples.items():
        ratio = estimates.median_ratio(first, values)
        interval = f" ({ratio.ci95[0]:.3g} to {ratio.ci95[1]:.3g})" if ratio.ci95 else ""
        rates.append(Rate(name, float(1 / np.median(values)), f"{ratio.value:.3g}{interval}"))
    return rates


if __name__ == "__main__":
    raise SystemExit(main())

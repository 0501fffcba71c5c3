"""Run the live loop on a network camera that fails again and again, and see whether anything grows.

python -m benchmarks.soak --minutes 30 --out soak

The camera is another process, which serves a moving face at 30 FPS. In each cycle it is silent for a while, is killed
and comes back, and changes its resolution. Writes soak.json and events.jsonl and, with matplotlib,
a figure: soak.png, soak.svg, soak.pdf.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from benchmarks.measure.camera import FailingCamera, age_s
from benchmarks.report.blocks import Table, markdown
from edge.arguments import ArgumentParser, positive
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import exit_status
from edge.files import check_writable, write_json
from edge.host import resident_mb
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.sinks.background import Background
from edge.sinks.base import Delivery, Sink, SinkContext
from edge.sinks.events import Events
from edge.source import open_source
from edge.stopping import Stop, stop_on_signals
from edge.values import Frame, Reading
from train.tables import Cell, Number

SAMPLES = 120
EDGE = 10  # samples of the start and of the end that are compared
WARM_UP = 10  # samples before the start: buffers and caches fill


@dataclass(frozen=True)
class Options:
    minutes: float
    cycle: float  # seconds
    out: Path


@dataclass(frozen=True)
class Sample:
    """Describe the process, and the frames since the sample before: their ages in ms, when they had been read."""

    seconds: float
    rss_mb: float | None
    open_files: int
    threads: int
    fps: float
    faces: float  # in a frame, on average
    age_p50: float | None
    age_p95: float | None


@dataclass
class Soak:
    """Hold the samples of a run, its outages, and its lines of events."""

    samples: list[Sample] = field(default_factory=list)
    frames: int = 0
    outages: int = 0
    lost_s: float = 0.0
    lines: int = 0
    broken_lines: int = 0

    def series(self) -> dict[str, list[float | None]]:
        """Return the values of all samples by name, and their minutes."""
        names = [value.name for value in fields(Sample)]
        series = {name: [getattr(sample, name) for sample in self.samples] for name in names}
        return series | {"minutes": [sample.seconds / 60 for sample in self.samples]}

    def typical(self, name: str, samples: Sequence[Sample]) -> float | None:
        """Return the median of a value of samples; None if none has it."""
        values = [value for sample in samples if (value := getattr(sample, name)) is not None]
        return float(np.median(values)) if values else None

    @property
    def start(self) -> Sequence[Sample]:
        """Return the samples of the start, after the warm-up."""
        return self.samples[WARM_UP : WARM_UP + EDGE]

    @property
    def end(self) -> Sequence[Sample]:
        """Return the samples of the end."""
        return self.samples[-EDGE:]


class Probe(Sink):
    """Count the faces, and remember how old each frame was when it had been read."""

    name = "probe"
    delivery = Delivery.MAIN_THREAD

    def __init__(self) -> None:
        self.frames = 0
        self.faces = 0
        self.ages_ms: list[float] = []
        self._sampled_s = 0.0

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if frame.error is None:
            self.frames += 1
            self.faces += len(readings)
            self.ages_ms.append(1000 * age_s(frame.image, time.monotonic()))

    def sample(self, seconds: float) -> Sample:
        """Describe the process and the frames since the call before."""
        ages, self.ages_ms = self.ages_ms, []
        faces, self.faces = self.faces / max(1, len(ages)), 0
        fps = len(ages) / (seconds - self._sampled_s)
        self._sampled_s = seconds
        p50, p95 = (round(float(value), 1) for value in np.percentile(ages, [50, 95])) if ages else (None, None)
        open_files = len(os.listdir("/dev/fd")) - 1  # noqa: PTH208 (without the folder itself)
        tasks = Path("/proc/self/task")
        threads = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
        return Sample(round(seconds, 1), resident_mb(), open_files, threads, round(fps, 2), round(faces, 2), p50, p95)


def parse_args(argv: Sequence[str] | None = None) -> Options:
    """Parse the options."""
    parser = ArgumentParser("python -m benchmarks.soak", __doc__)
    parser.add_argument("--minutes", type=positive, default=30.0, help="length of the run")
    parser.add_argument("--cycle", type=positive, default=60.0, metavar="SECONDS", help="from failure to failure")
    parser.add_argument("--out", type=Path, default=Path("soak"), metavar="FOLDER", help="made if it is missing")
    return Options(**vars(parser.parse_args(argv)))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_args(argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Run, write the results and print a table of the start and the end."""
    check_writable(options.out / "soak.json")
    options.out.mkdir(parents=True, exist_ok=True)
    result = soak(60 * options.minutes, options.cycle, options.out / "events.jsonl")
    write_json(options.out / "soak.json", asdict(result))
    with contextlib.suppress(ImportError):  # no matplotlib: no picture
        from benchmarks.report.soak_chart import draw

        draw(result.series(), result.outages, options.out / "soak")
    print(markdown([_table(result)]), end="")
    print(
        f"\n{result.frames} frames, {result.outages} outages of"
        f" {result.lost_s:.0f} s in all, {result.lines} lines of events, {result.broken_lines} broken"
    )
    return 0


def soak(seconds: float, cycle_s: float, events: Path) -> Soak:
    """Run the loop for so long on a camera that fails in each cycle. Raises EmotionError."""
    result = Soak()
    probe = Probe()
    camera = FailingCamera(cycle_s)
    with contextlib.ExitStack() as stack:
        stack.callback(camera.kill)
        detector = stack.enter_context(contextlib.closing(open_detector("auto", None)))
        pipeline = Pipeline(detector, Classifier(open_backend(SHIPPED, 1)), Meter())
        source = stack.enter_context(open_source(camera.url))
        stack.enter_context(stop_on_signals(source.stop))
        context = SinkContext(pipeline.classifier.card.labels, source.fps, True, False, source.stop)
        sinks = [probe, stack.enter_context(Background(Events(str(events), context), True, source.stop))]
        threads = [
            threading.Thread(target=camera.fail, args=(source.stop,)),
            threading.Thread(target=_watch, args=(probe, seconds, source.stop, result.samples)),
        ]
        for thread in threads:
            thread.start()
        try:
            loop(source, pipeline, sinks)
        finally:
            source.stop.set()
            for thread in threads:
                thread.join()
    result.frames = probe.frames
    lost = source.stats()["lost"]
    result.outages, result.lost_s = lost["times"], lost["seconds"]
    result.lines, result.broken_lines = _count_lines(events)
    return result


def _watch(probe: Probe, seconds: float, stop: Stop, samples: list[Sample]) -> None:
    """Take the samples at equal intervals, then ask the run to end."""
    start_s = time.monotonic()
    for index in range(1, SAMPLES + 1):
        if stop.wait(start_s + seconds * index / SAMPLES - time.monotonic()):
            return
        samples.append(probe.sample(time.monotonic() - start_s))
    stop.set()


def _count_lines(events: Path) -> tuple[int, int]:
    """Return the number of lines and of those that are no whole JSON object."""
    lines = events.read_bytes().split(b"\n")
    broken = sum(not _is_whole(line) for line in lines[:-1]) + bool(lines[-1])
    return len(lines) - 1, broken


def _is_whole(line: bytes) -> bool:
    try:
        return set(json.loads(line)) >= {"frame", "time", "faces"}
    except ValueError:
        return False


def _table(result: Soak) -> Table:
    rows: list[list[Cell]] = []
    for name, label in LABELS.items():
        start, end = (result.typical(name, samples) for samples in (result.start, result.end))
        values = [value for sample in result.samples if (value := getattr(sample, name)) is not None]
        rows.append([label, Number(start, ".1f"), Number(end, ".1f"), Number(max(values, default=None), ".1f")])
    return Table(["median", "start", "end", "highest sample"], rows)


LABELS = {
    "rss_mb": "resident memory, MB",
    "open_files": "open files",
    "threads": "threads",
    "age_p50": "age of frames, p50, ms",
    "age_p95": "age of frames, p95, ms",
}


if __name__ == "__main__":
    raise SystemExit(main())

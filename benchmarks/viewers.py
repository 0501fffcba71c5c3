"""Measure whether viewers of the live page slow the loop, also those that stop reading.

python -m benchmarks.viewers
python -m benchmarks.viewers --viewers 100 --stalled 50 --fps 30

The viewers run in a process of their own, on the same cores. Without viewers and with them take turns, so that other
load on the machine is in both. Needs the extra serve.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks.report.blocks import Table, markdown
from edge.arguments import ArgumentParser, positive, whole
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import exit_status
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.sinks.background import Background
from edge.sinks.base import SinkContext
from edge.sinks.serve import Serve
from edge.sources.demo import DEMO_FRAMES, demo_images
from edge.stopping import Stop
from edge.values import Frame, Image

POLL_S = 0.005  # between two rounds of reading: a viewer elsewhere costs this machine nothing


@dataclass(frozen=True)
class Options:
    viewers: int
    stalled: int
    fps: float | None  # of the source; None: as fast as the loop is
    seconds: float
    rounds: int


@dataclass(frozen=True)
class Window:
    """Hold one measurement: rate of the loop, and of each viewer that reads; age of the readings in ms (p95)."""

    fps: float
    viewer_fps: float
    age_ms: float


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.viewers", __doc__)
    parser.add_argument("--viewers", type=whole(1, 500), default=100, metavar="N", help="streams that are opened")
    parser.add_argument("--stalled", type=whole(0, 500), default=50, metavar="N", help="of them read nothing")
    parser.add_argument("--fps", type=positive, help="of the source; by default as fast as the loop is")
    parser.add_argument("--seconds", type=positive, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=whole(1, 100), default=5, metavar="N", help="of measurements")
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Print a table: without viewers, with one, and with all of them."""
    classifier = Classifier(open_backend(SHIPPED, 1))
    images = list(demo_images(DEMO_FRAMES))
    cases = {"none": (0, 0), "1": (1, 0), f"{options.viewers}, {options.stalled} stalled": _all(options)}
    windows: dict[str, list[Window]] = {name: [] for name in cases}
    page = Serve("127.0.0.1:0", SinkContext(classifier.card.labels, 30.0, True, False, Stop()))
    with Background(page, live=True) as sink:
        for _ in range(options.rounds):
            for name, (viewers, stalled) in cases.items():
                pipeline = Pipeline(open_detector("yunet"), classifier, Meter())
                windows[name].append(_measure(options, images, pipeline, sink, (page.port, viewers, stalled)))
    print(markdown([_table(windows)]), end="")
    return 0


def _all(options: Options) -> tuple[int, int]:
    return options.viewers, min(options.stalled, options.viewers)


def _table(windows: dict[str, list[Window]]) -> Table:
    base = windows["none"]
    rows = []
    for name, own in windows.items():
        ratio = statistics.median(one.fps / other.fps for one, other in zip(own, base, strict=True))
        medians = [statistics.median(values) for values in zip(*(vars(window).values() for window in own), strict=True)]
        rows.append([name, f"{medians[0]:.1f}", f"{ratio:.2f}", f"{medians[2]:.0f}", f"{medians[1]:.1f}"])
    return Table(["viewers", "loop FPS", "of none's", "age ms (p95)", "FPS of a viewer"], rows)


def _measure(
    options: Options, images: Sequence[Image], pipeline: Pipeline, sink: Background, viewers: tuple[int, int, int]
) -> Window:
    """Run the loop for a while; `viewers` are the port, how many view, and how many of them stall."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_view, args=(theirs, *viewers), daemon=True)
    process.start()
    ours.recv()
    loop(_frames(options, images), pipeline, [sink])
    ours.send(None)
    viewer_fps = ours.recv()
    process.join()
    stats = pipeline.meter.stats()
    return Window(stats["fps"], viewer_fps, stats["age_ms"]["p95"])


def _frames(options: Options, images: Sequence[Image]) -> Iterator[Frame]:
    """Yield frames like a camera that waits for the loop, or one of a fixed rate."""
    start_s = time.monotonic()
    index = 0
    while time.monotonic() - start_s < options.seconds:
        time_s = index / (options.fps or 30.0)
        if options.fps:
            time.sleep(max(0.0, start_s + time_s - time.monotonic()))
        yield Frame(index, time_s, time.monotonic(), images[index % len(images)])
        index += 1


def _view(pipe: Connection, port: int, count: int, stalled: int) -> None:
    """Open streams, read all but some of them until told to end, and send the frames a second of one that reads."""
    connections = [_connect(port) for _ in range(count)]
    pipe.send(None)
    selector = selectors.DefaultSelector()
    for connection in connections[stalled:]:
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    parts = 0
    start_s = time.monotonic()
    while not pipe.poll():
        for key, _ in selector.select(0) if count > stalled else []:
            parts += key.fileobj.recv(1 << 20).count(b"\r\n--frame")  # type: ignore[union-attr]
        time.sleep(POLL_S)
    pipe.recv()
    pipe.send(parts / (time.monotonic() - start_s) / max(1, count - stalled))


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"GET /stream.mjpg HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection


if __name__ == "__main__":
    raise SystemExit(main())

"""Read emotions from faces, live or recorded.

python edge/run.py                                     the first camera, in a window
python edge/run.py --source demo                       no camera needed
python edge/run.py --source clip.mp4 --record out.mp4 --events out.jsonl
python edge/run.py --source photos/ --no-display --events -
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __package__ in (None, ""):  # `python edge/run.py`: put the project on the path in place of edge/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from edge.arguments import ArgumentParser, whole
from edge.camera import open_source, paced
from edge.classifier import SHIPPED, Classifier, open_backend
from edge.detectors.haar import Haar
from edge.errors import UsageError, exit_status
from edge.files import check_writable, write_json
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.sinks.events import Console, Events
from edge.sinks.video import PictureFolder, VideoFile
from edge.sinks.window import Window, unavailable
from edge.sources.base import Source
from edge.values import Frame

DEMO_RECORDING = Path("demo.mp4")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("edge/run.py", __doc__)
    parser.add_argument(
        "--source", default="0", help="demo, a camera's number, /dev/videoN, a URL, a video, a picture or a folder"
    )
    parser.add_argument("--model", type=Path, default=SHIPPED, help=".tflite or .onnx file made by export")
    parser.add_argument("--detector", default="auto", choices=["auto", "haar"], help="auto is haar")
    parser.add_argument("--no-display", action="store_true", help="show no window")
    parser.add_argument(
        "--record", type=Path, metavar="OUT", help="annotated video, or a folder where the source is pictures"
    )
    parser.add_argument("--events", metavar="FILE|-", help="JSON lines, one a frame")
    parser.add_argument("--stats", type=Path, metavar="FILE", help="FPS and stage times as JSON, at the end")
    parser.add_argument("--max-frames", type=whole(1), metavar="N", help="end after so many frames")
    parser.add_argument(
        "--threads", type=whole(1, 64), default=1, help="of the classifier; more pays only for big models"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Open everything, loop, close everything, tell how fast it was."""
    _check_outputs(args)
    classifier = Classifier(open_backend(args.model, args.threads))
    no_window = "--no-display" if args.no_display else unavailable()
    meter = Meter()
    pipeline = Pipeline(Haar(), classifier, meter)
    with contextlib.ExitStack() as closing:
        source = closing.enter_context(open_source(args.source, endless_demo=no_window is None))
        closing.enter_context(stop_on_signals(source.stop))
        sinks = [closing.enter_context(sink) for sink in _sinks(args, source, no_window)]
        frames = source if no_window else paced(source)
        try:
            loop(_limited(frames, args.max_frames), pipeline, sinks)
        finally:  # also when a camera dies: the summary of what was seen until then is not lost
            _report(args, source, pipeline)
    return 0


def _check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written, or that would fall upon what is read."""
    if args.stats is not None:
        check_writable(args.stats)
    inputs = {Path(args.source).resolve(), args.model.resolve()}
    outputs = {"--record": args.record, "--events": args.events if args.events != "-" else None, "--stats": args.stats}
    for name, output in outputs.items():
        if output is not None and Path(output).resolve() in inputs | {Path(args.source).resolve().parent}:
            raise UsageError(f"expected {name} apart from the source and the model, found {output}; choose another")


def _sinks(args: argparse.Namespace, source: Source, no_window: str | None) -> Iterator[Any]:
    """The outputs asked for; without a window, what is seen is printed, and the demo is recorded."""
    record = args.record
    if no_window is None:
        yield Window(source.stop)
    elif args.events != "-":
        if record is None and args.source == "demo" and not args.no_display:
            record = DEMO_RECORDING
        print(f"{no_window}: printing what is seen" + (f", recording to {record}" if record else ""))
        yield Console()
    if record is not None:
        yield PictureFolder(record) if source.independent else VideoFile(record, source.fps)
    if args.events is not None:
        yield Events(args.events)


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `stop`, so that the loop ends in order; a second Ctrl-C ends at once."""

    def ask(number: int, _: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _limited(frames: Iterable[Frame], most: int | None) -> Iterator[Frame]:
    for count, frame in enumerate(frames, start=1):
        yield frame
        if count == most:
            return


def _report(args: argparse.Namespace, source: Source, pipeline: Pipeline) -> None:
    stats = pipeline.meter.stats() | {
        "dropped": source.dropped,
        "rss_mb": _resident_mb(),
        "model": str(args.model),
        "detector": pipeline.detector.name,
        "backend": pipeline.classifier.backend.name,
        "threads": args.threads,
    }
    stages = "  ".join(f"{name} {times['p50']}" for name, times in stats["stages_ms"].items())
    print(
        f"{stats['frames']} frames in {stats['seconds']:.1f} s: {stats['fps']:.1f} FPS, {stats['dropped']} dropped"
        f"  median ms: {stages}",
        file=sys.stderr if args.events == "-" else sys.stdout,
    )
    if args.stats is not None:
        write_json(args.stats, stats)


def _resident_mb() -> float | None:
    """Resident memory in MB, where the system tells (Linux)."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None


if __name__ == "__main__":
    raise SystemExit(main())

"""Read emotions from faces, live or recorded.

python edge/run.py                                     the first camera, in a window
python edge/run.py --source demo                       no camera needed
python edge/run.py --source 0 --resolution 1280x720 --fps 30 --fourcc MJPG
python edge/run.py --source clip.mp4 --record out.mp4 --events out.jsonl --events out.csv
python edge/run.py --source 'photos/*.jpg' --no-display --events -
"""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):  # `python edge/run.py`: put the project on the path in place of edge/
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from edge.backend import SHIPPED, open_backend
from edge.backends.base import Backend
from edge.classifier import Classifier
from edge.detector import open_detector, set_cores
from edge.errors import UsageError, exit_status
from edge.fastest import fastest
from edge.files import write_json
from edge.host import resident_mb
from edge.meter import Meter
from edge.options import check_outputs, parse
from edge.pipeline import Pipeline, loop
from edge.sinks.background import Background
from edge.sinks.events import Console, Events
from edge.sinks.video import PictureFolder, VideoFile
from edge.sinks.window import Window, unavailable
from edge.source import open_source, paced
from edge.sources.base import Source
from edge.sources.capture import CameraSettings
from edge.values import Frame

DEMO_RECORDING = Path("demo.mp4")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    return parse(__doc__, argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Open everything, loop, close everything, tell how fast it was."""
    check_outputs(args)
    cores, args.threads = args.threads, args.threads or 1
    classifier = Classifier(_open_model(args))
    no_window = "--no-display" if args.no_display else unavailable()
    meter = Meter()
    detector = open_detector(args.detector, args.detector_model)
    set_cores(detector, cores)
    pipeline = Pipeline(detector, classifier, meter, args.detect_every, args.uncertain_below)
    asked = CameraSettings(args.resolution, args.fps, args.fourcc)
    with (
        contextlib.closing(detector),
        open_source(args.source, no_window is None, args.realtime, asked) as source,
        stop_on_signals(source.stop),
    ):
        if source.notice:
            print(source.notice, file=sys.stderr)
        outputs = list(_sinks(args, source, no_window, classifier.card.labels))
        _tell(args, f"{detector.name} finds the faces, {args.model.name} reads them")
        try:
            with contextlib.ExitStack() as closing:
                sinks = [closing.enter_context(sink) for sink in outputs]
                loop(_limited(source if no_window else paced(source), args.max_frames), pipeline, sinks)
        finally:  # also when an output fails: the summary of what was seen until then is not lost
            if meter.frames:
                _report(args, source, pipeline, outputs)
    return 2 if source.skipped else 0


def _open_model(args: argparse.Namespace) -> Backend:
    """The model asked for; where it is to be chosen, `args.model` becomes the chosen one, and the choice is told."""
    if args.model != Path("auto") and not args.model.is_dir():
        return open_backend(args.model, args.threads)
    folder = args.model if args.model.is_dir() else SHIPPED.parent
    args.model, backend, why = fastest(folder, args.threads)
    _tell(args, why)
    return backend


def _tell(args: argparse.Namespace, line: str) -> None:
    """A line for people, kept apart from events on standard output."""
    print(line, file=sys.stderr if "-" in args.events else sys.stdout, flush=True)


def _sinks(args: argparse.Namespace, source: Source, no_window: str | None, labels: Sequence[str]) -> Iterator[Any]:
    """The outputs asked for; without a window, what is seen is printed, and the demo is recorded."""
    record = args.record
    if no_window is None:
        window = Window(source.stop)
        source.idle = window.poll
        yield window
    elif "-" not in args.events:
        if record is None and args.source == "demo" and not args.no_display:
            record = DEMO_RECORDING
        print(f"{no_window}: printing what is seen" + (f", recording to {record}" if record else ""))
        yield Background(Console(), source.live)
    if record is not None and source.folder is not None and record.resolve() == source.folder.resolve():
        raise UsageError(f"expected --record apart from the pictures, found their own folder {record}; choose another")
    if record is not None:
        yield Background(PictureFolder(record) if source.independent else VideoFile(record, source.fps), source.live)
    for events in args.events:
        yield Background(Events(events, labels), source.live)


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
    """Frames until so many were pictures; those that tell of a lost camera are none."""
    count = 0
    for frame in frames:
        yield frame
        count += frame.error is None
        if count == most:
            return


def _report(args: argparse.Namespace, source: Source, pipeline: Pipeline, outputs: Sequence[Any]) -> None:
    unwritten = {output.name: output.dropped for output in outputs if getattr(output, "dropped", 0)}
    stats = (
        pipeline.meter.stats()
        | source.stats()
        | {
            "unwritten": unwritten,
            "detections": pipeline.tracker.detections,
            "rss_mb": resident_mb(),
            "model": str(args.model),
            "detector": pipeline.detector.name,
            "backend": pipeline.classifier.backend.name,
            "threads": args.threads,
        }
    )
    lost = stats.get("lost", {"times": 0})
    notes = [f"{stats['dropped']} dropped"]
    notes += [f"{source.skipped} skipped"] if source.skipped else []
    notes += [f"{count} too many for {name}" for name, count in unwritten.items()]
    notes += [f"camera lost {lost['times']} times for {lost['seconds']} s"] if lost["times"] else []
    stages = "  ".join(f"{name} {times['p50']}" for name, times in stats["stages_ms"].items())
    notes += [f"{pipeline.detector.name} looked at {stats['detections']}"] if stats["detections"] else []
    _tell(
        args,
        f"{stats['frames']} frames in {stats['seconds']:.1f} s: {stats['fps']:.1f} FPS, {', '.join(notes)}"
        f"  median ms: {stages}",
    )
    if args.stats is not None:
        write_json(args.stats, stats)


if __name__ == "__main__":
    raise SystemExit(main())

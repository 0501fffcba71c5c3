"""What the parts of the loop cost in instructions: the measure on an emulated processor, where times mean nothing.

python -m benchmarks.instructions [--detector-model blaze_face_short_range.tflite]

It runs each part REPEATS times between two marks, for whoever counts: a tool that counts instructions and watches the
system calls sees os.getpgid(MARK + n) at each mark, n counting up from 0. Without such a tool it names the parts, and
counts nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import exit_status
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline
from edge.preprocess import crop, to_input
from edge.sources.demo import demo_images
from edge.tracker import Tracker
from edge.values import Frame

MARK = 0x51454D00  # a process group that there is not
REPEATS = 20
FRAMES = 60


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.instructions", __doc__)
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file; without it, Haar alone")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    for number, (name, times, part) in enumerate(_parts(args.detector_model)):
        mark(2 * number)
        part()
        mark(2 * number + 1)
        print(f"{2 * number} {name} / {times}", flush=True)
    return 0


def mark(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.getpgid(MARK + number)


def _parts(detector_model: Path | None) -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Name, how many of it, and the work; each made ready, and run once, before it is counted."""
    cv2.setNumThreads(1)  # threads that wait for each other count too, each time another number
    images = list(islice(demo_images(300), FRAMES))
    classifier = Classifier(open_backend(SHIPPED))
    detectors = [open_detector("haar")]
    if detector_model:
        detectors.append(open_detector("blazeface", detector_model))
    face = crop(images[0], detectors[0].detect(images[0])[0].box)
    pixels = to_input(face, classifier.card.input_size)
    classifier.backend.run(pixels)
    yield "inference", REPEATS, partial(_each, classifier.backend.run, [pixels] * REPEATS)
    for detector in detectors:
        detector.detect(images[0])
        yield f"{detector.name} detection", REPEATS, partial(_each, detector.detect, images[:REPEATS])
    tracker = Tracker(detectors[0], detect_interval=10 * REPEATS)
    tracker.find(images[0])
    tracker.find(images[0])
    yield "search for a face", REPEATS, partial(_each, tracker.find, [images[1]] * REPEATS)
    for detector in detectors:
        pipeline = Pipeline(detector, classifier, Meter())
        frames = [Frame(i, i / 30, 0.0, image) for i, image in enumerate(images)]
        pipeline.step(frames[0])
        yield f"frame with {detector.name}", FRAMES, partial(_each, pipeline.step, frames)


def _each(call: Callable[[Any], object], values: Sequence[Any]) -> None:
    for value in values:
        call(value)


if __name__ == "__main__":
    raise SystemExit(main())

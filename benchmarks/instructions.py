"""Run each part of the pipeline between two marks, for a tool that counts instructions under emulation.

python -m benchmarks.instructions [--model FILE] [--detector-model blaze_face_short_range.tflite]

On an emulated processor, times mean nothing, but instruction counts do. Each part runs several times between two marks:
a tool that watches the system calls sees os.getpgid(MARK + n), n counting up from 0. Without such a tool this command
only prints the names of the parts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.measure.detectors import open_detectors
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, model_path, open_backend
from edge.classifier import Classifier
from edge.errors import exit_status
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline
from edge.preprocess import crop, to_input
from edge.sources.demo import demo_images
from edge.tracker import Tracker
from edge.values import Frame

MARK = 0x51454D00  # no process group has such a number
REPEATS = 20
FRAMES = 60


@dataclass(frozen=True)
class Options:
    model: Path
    detector_model: Path | None


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.instructions", __doc__)
    parser.add_argument("--model", type=model_path, default=SHIPPED, metavar="FILE", help="default: the shipped one")
    parser.add_argument(
        "--detector-model", type=Path, metavar="FILE", help="for the detector that can use it; default: its usual file"
    )
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: run(options))


def run(options: Options) -> int:
    """Run each part between its two marks, and print the first mark, the name and the number of repetitions."""
    for number, (name, times, part) in enumerate(_parts(options)):
        mark(2 * number)
        part()
        mark(2 * number + 1)
        print(f"{2 * number} {name} / {times}", flush=True)
    return 0


def mark(number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.getpgid(MARK + number)


def _parts(options: Options) -> Iterator[tuple[str, int, Callable[[], object]]]:
    """Yield name, number of repetitions and work of each part, which has run once before."""
    cv2.setNumThreads(1)  # threads that wait for each other execute a varying number of instructions
    images = list(islice(demo_images(300), FRAMES))
    classifier = Classifier(open_backend(options.model))
    detectors = open_detectors(options.detector_model)
    face = crop(images[0], detectors[0].detect(images[0])[0].box)
    pixels = to_input(face, classifier.card.input_size)
    classifier.backend.run(pixels)
    yield "inference", REPEATS, partial(_call_each, classifier.backend.run, [pixels] * REPEATS)
    for detector in detectors:
        detect = partial(detector.detect, smallest=max(images[0].shape[:2]) * detector.smallest_face)  # as in a video
        detect(images[0])
        yield f"{detector.name} detection", REPEATS, partial(_call_each, detect, images[:REPEATS])
    tracker = Tracker(detectors[0], detect_interval=10 * REPEATS)
    tracker.find(images[0])
    tracker.find(images[0])
    yield "search for a face", REPEATS, partial(_call_each, tracker.find, [images[1]] * REPEATS)
    for detector in detectors:
        pipeline = Pipeline(detector, classifier, Meter())
        frames = [Frame(i, i / 30, 0.0, image) for i, image in enumerate(images)]
        pipeline.step(frames[0])
        yield f"frame with {detector.name}", FRAMES, partial(_call_each, pipeline.step, frames)


def _call_each(function: Callable[[Any], object], values: Sequence[Any]) -> None:
    for value in values:
        function(value)


if __name__ == "__main__":
    raise SystemExit(main())

"""Measure how the square around a face should be cut out: log loss of the classifier by scale and shift.

python -m benchmarks.crops --data data/life-dev/web data/life-dev/jaffe --detector yunet haar
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measure.labelled import detect_largest, labelled_pictures
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import DETECTORS, open_detector
from edge.errors import exit_status
from edge.labels import EMOTIONS
from edge.neutral import log_probabilities
from edge.values import Box, Face, Floats, Image
from train.progress import progress

Matrix = npt.NDArray[np.float64]  # [scales, shifts]
SCALES = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1)  # of today's square
SHIFTS = (-0.06, -0.03, 0.0, 0.03, 0.06)  # of its side, downwards


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.crops", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with pictures in <emotion>/")
    parser.add_argument("--detector", nargs="+", choices=DETECTORS, default=["yunet", "haar"])
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file")
    parser.add_argument("--model", type=Path, default=SHIPPED)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: crops(args.data, args.detector, args.detector_model, args.model))


def crops(folders: Sequence[Path], detectors: Sequence[str], detector_model: Path | None, model: Path) -> int:
    """Print a table a detector: rows are scales, columns are shifts."""
    pictures = [picture for folder in folders for picture in labelled_pictures(folder)]
    classifier = Classifier(open_backend(model))
    for name in detectors:
        needs_model = name in ("blazeface", "mediapipe")
        detector = open_detector(name, detector_model if needs_model else None)
        with progress() as stage:
            faces = detect_largest(detector, pictures, stage(f"{name}: detect", len(pictures)))
            found = [(*item, picture.label) for picture, item in zip(pictures, faces, strict=True) if item]
            done = stage(f"{name}: classify", len(SCALES) * len(SHIFTS))
            losses = np.zeros((len(SCALES), len(SHIFTS)))
            correct = np.zeros_like(losses)
            for row, scale in enumerate(SCALES):
                for column, shift in enumerate(SHIFTS):
                    losses[row, column], correct[row, column] = _judge(classifier, found, scale, shift)
                    done()
        _print(name, len(found), len(pictures), losses, correct)
    return 0


def _judge(
    classifier: Classifier, faces: Sequence[tuple[Image, Face, int]], scale: float, shift: float
) -> tuple[float, float]:
    """Return the mean log loss and the accuracy of the faces, each cut out by a changed square."""
    logs = np.stack([log_probabilities(_read(classifier, image, face.box, scale, shift)) for image, face, _ in faces])
    labels = np.array([classifier.card.labels.index(EMOTIONS[label]) for _, _, label in faces])
    own: Floats = logs[np.arange(len(labels)), labels]
    return float(-own.mean()), float((logs.argmax(axis=1) == labels).mean())


def _read(classifier: Classifier, image: Image, box: Box, scale: float, shift: float) -> Floats:
    side = max(1, round(box.width * scale))
    left = box.x + (box.width - side) / 2
    top = box.y + (box.height - side) / 2 + shift * box.width
    return classifier.read(image, Box(round(left), round(top), side, side))


def _print(name: str, found: int, total: int, losses: Matrix, correct: Matrix) -> None:
    print(f"{name}: {found} of {total} faces found; log loss (accuracy) by scale of the square (rows) and shift down")
    print("        " + "".join(f"{shift:>16.2f}" for shift in SHIFTS))
    for row, scale in enumerate(SCALES):
        cells = (f"{losses[row, column]:8.4f} ({correct[row, column]:5.1%})" for column in range(len(SHIFTS)))
        print(f"{scale:8.2f}" + "".join(cells))


if __name__ == "__main__":
    raise SystemExit(main())

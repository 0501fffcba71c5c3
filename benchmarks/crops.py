"""Measure the log loss of the classifier by scale and shift of the square cut around a face.

python -m benchmarks.crops --data data/life-dev/web data/life-dev/jaffe --detector yunet haar
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.measure.detectors import open_detectors
from benchmarks.measure.labelled import detect_largest, labelled_pictures
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, model_path, open_backend
from edge.classifier import Classifier
from edge.detector import DETECTORS
from edge.errors import DataError, exit_status
from edge.neutral import log_probabilities
from edge.values import Box, Face, Floats, Image
from train.predict import label_indices
from train.progress import Advance, progress

Matrix: TypeAlias = npt.NDArray[np.float64]  # [scales, shifts]
LabelledFace: TypeAlias = tuple[Image, Face, int]  # the picture, its face, an index into EMOTIONS
SCALES = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1)  # of today's square
SHIFTS = (-0.06, -0.03, 0.0, 0.03, 0.06)  # of its side, downwards


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.crops", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with pictures in <emotion>/")
    parser.add_argument("--detector", nargs="+", choices=DETECTORS, default=["yunet", "haar"], help="a table each")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file")
    parser.add_argument("--model", type=model_path, default=SHIPPED, metavar="FILE", help="classifier .tflite or .onnx")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: crops(args.data, args.detector, args.detector_model, args.model))


def crops(folders: Sequence[Path], detectors: Sequence[str], detector_model: Path | None, model: Path) -> int:
    """Print a table for each detector: rows are scales, columns are shifts. Raises DataError if no face is detected."""
    pictures = [picture for folder in folders for picture in labelled_pictures(folder)]
    classifier = Classifier(open_backend(model))
    label_indices(classifier.card)  # a model of other labels fails before the long work
    for detector in open_detectors(detector_model, detectors):
        with progress() as start_stage:
            faces = detect_largest(detector, pictures, start_stage(f"{detector.name}: detect", len(pictures)))
            detector.close()
            labelled = [(*item, picture.label) for picture, item in zip(pictures, faces, strict=True) if item]
            if not labelled:
                raise DataError(f"expected pictures with faces, {detector.name} detects none in {len(pictures)}")
            advance = start_stage(f"{detector.name}: classify", len(SCALES) * len(SHIFTS))
            losses, accuracies = _measure(classifier, labelled, advance)
        _print(detector.name, len(labelled), len(pictures), losses, accuracies)
    return 0


def _measure(classifier: Classifier, faces: Sequence[LabelledFace], advance: Advance) -> tuple[Matrix, Matrix]:
    """Return log losses and accuracies [scales, shifts]."""
    losses = np.zeros((len(SCALES), len(SHIFTS)))
    accuracies = np.zeros_like(losses)
    for row, scale in enumerate(SCALES):
        for column, shift in enumerate(SHIFTS):
            losses[row, column], accuracies[row, column] = _evaluate(classifier, faces, scale, shift)
            advance()
    return losses, accuracies


def _evaluate(classifier: Classifier, faces: Sequence[LabelledFace], scale: float, shift: float) -> tuple[float, float]:
    """Return the mean log loss and the accuracy of the faces, each cut out by a changed square."""
    logs = np.stack([log_probabilities(_read(classifier, image, face.box, scale, shift)) for image, face, _ in faces])
    order = label_indices(classifier.card)
    labels = np.array([order[label] for _, _, label in faces])
    losses = -logs[np.arange(len(labels)), labels]
    return float(losses.mean()), float((logs.argmax(axis=1) == labels).mean())


def _read(classifier: Classifier, image: Image, box: Box, scale: float, shift: float) -> Floats:
    side = max(1, round(box.width * scale))
    left = box.x + (box.width - side) / 2
    top = box.y + (box.height - side) / 2 + shift * box.width
    return classifier.read(image, Box(round(left), round(top), side, side))


def _print(name: str, detected: int, total: int, losses: Matrix, accuracies: Matrix) -> None:
    print(
        f"{name}: {detected} of {total} faces found; log loss (accuracy) by scale of the square (rows) and shift down"
    )
    print("        " + "".join(f"{shift:>16.2f}" for shift in SHIFTS))
    for row, scale in enumerate(SCALES):
        cells = (f"{losses[row, column]:8.4f} ({accuracies[row, column]:5.1%})" for column in range(len(SHIFTS)))
        print(f"{scale:8.2f}" + "".join(cells))


if __name__ == "__main__":
    raise SystemExit(main())

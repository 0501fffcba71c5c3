"""Measure the whole product on labelled pictures: accuracy with missed faces counted as wrong.

python -m benchmarks.end_to_end --data data/life-dev/web data/life-dev/jaffe
python -m benchmarks.end_to_end --data faces --model edge/models/*.tflite --peer /opt/fer/bin/python

Each folder holds pictures of whole scenes in <emotion>/. The largest face of each picture is read. "shown" is the share
that is right and above --uncertain-below, so that the device shows it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.measure.calibration import PersonPictures, by_person, held_out_accuracy
from benchmarks.measure.detectors import open_detectors
from benchmarks.measure.labelled import (
    PERSON,
    LabelledPicture,
    detect_largest,
    is_correct,
    labelled_pictures,
    read_faces,
)
from benchmarks.measure.peer import check_peer, open_peer
from benchmarks.report.blocks import Table, plain
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, model_path, open_backend
from edge.classifier import Classifier
from edge.detector import DETECTORS
from edge.errors import exit_status
from edge.files import check_writable, write_json
from edge.labels import EMOTIONS
from edge.neutral import OFFSET, STRENGTH
from edge.smoother import UNCERTAIN_BELOW
from edge.values import Probabilities
from train.metrics import wilson
from train.predict import check_labels
from train.progress import progress


@dataclass(frozen=True)
class Row:
    """Hold the figures of one set, detector and model; accuracies count missed faces as wrong."""

    data: str
    detector: str
    model: str
    pictures: int
    found: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    mean_recall: float
    shown: float  # the share that is right and not shown as uncertain
    people: int = 0  # with a neutral picture, its face found, and others
    people_accuracy: float | None = None  # mean over these people, of all pictures but a neutral one in turn
    people_shown: float | None = None
    calibrated: float | None = None  # the same, corrected by that picture with strength and offset as shipped
    calibrated_shown: float | None = None
    averaged: float | None = None  # the same, corrected by the mean of all of a person's pictures
    averaged_shown: float | None = None
    calibrated_held_out: float | None = None  # strength and offset chosen on the other people
    best_calibration: tuple[float, float] | None = None
    averaged_held_out: float | None = None
    best_average: tuple[float, float] | None = None


@dataclass(frozen=True)
class Options:
    data: Sequence[Path]
    detector: Sequence[str]
    detector_model: Path | None
    model: Sequence[Path]
    peer: str | None
    person: str
    out: Path | None


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.end_to_end", __doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with pictures in <emotion>/")
    parser.add_argument("--detector", nargs="+", choices=DETECTORS, default=["yunet", "haar"], help="each of these")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file")
    parser.add_argument("--model", type=model_path, nargs="+", default=[SHIPPED], metavar="FILE", help="each of these")
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has fer, to read the same pictures")
    parser.add_argument(
        "--person", type=_pattern, default=PERSON, metavar="REGEX", help="its group names a file's person"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the figures too")
    return Options(**vars(parser.parse_args(argv)))


def _pattern(text: str) -> str:
    """Check a regular expression with a group."""
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, found {text!r}: {error}") from error
    if not groups:
        raise argparse.ArgumentTypeError(f"expected a regular expression with a group, as ^([A-Z]+), found {text!r}")
    return text


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: end_to_end(options))


def end_to_end(options: Options) -> int:
    """Measure all sets, detectors and models; print a table."""
    if options.out is not None:
        check_writable(options.out)
    if options.peer:
        check_peer(options.peer)
    sets = [(folder.name, labelled_pictures(folder, options.person)) for folder in options.data]
    classifiers = [(path.name, _open_classifier(path)) for path in options.model]
    detectors = open_detectors(options.detector_model, options.detector)
    rows: list[Row] = []
    with progress() as start_stage:
        for data, pictures in sets:
            for detector in detectors:
                advance = start_stage(f"{data}: {detector.name}", len(pictures))
                faces = detect_largest(detector, pictures, advance)
                for model, classifier in classifiers:
                    rows.append(make_row(data, detector.name, model, pictures, read_faces(classifier, faces)))
            if options.peer:
                with open_peer(options.peer) as peer:
                    readings = peer.read([picture.path for picture in pictures])
                rows.append(make_row(data, "haar (fer's)", "fer", pictures, readings))
    for detector in detectors:
        detector.close()
    print(plain(table(rows)))
    if options.out is not None:
        write_json(options.out, [asdict(row) for row in rows])
    return 0


def _open_classifier(path: Path) -> Classifier:
    classifier = Classifier(open_backend(path))
    check_labels(classifier.card)  # a model of other labels fails before the long work
    return classifier


def make_row(
    data: str, detector: str, model: str, pictures: Sequence[LabelledPicture], probabilities: Probabilities
) -> Row:
    """Return the figures of probabilities [n, 7]; a row of zeros is a missed face."""
    labels = np.array([picture.label for picture in pictures])
    correct = is_correct(labels, probabilities)
    recalls = [correct[labels == i].mean() for i in range(len(EMOTIONS)) if (labels == i).any()]
    row = Row(
        data=data,
        detector=detector,
        model=model,
        pictures=len(pictures),
        found=int((probabilities.max(axis=1) > 0).sum()),
        accuracy=float(correct.mean()),
        accuracy_ci95=wilson(int(correct.sum()), len(correct)),
        mean_recall=float(np.mean(recalls)),
        shown=float(is_correct(labels, probabilities, UNCERTAIN_BELOW).mean()),
    )
    people = by_person(pictures, probabilities)
    if len(people) < 2:
        return row
    calibrated, best_calibration = held_out_accuracy(people, PersonPictures.calibrated_accuracy)
    averaged, best_average = held_out_accuracy(people, PersonPictures.averaged_accuracy)
    return replace(
        row,
        people=len(people),
        people_accuracy=_mean(people, PersonPictures.accuracy),
        people_shown=_mean(people, PersonPictures.accuracy, UNCERTAIN_BELOW),
        calibrated=_mean(people, PersonPictures.calibrated_accuracy),
        calibrated_shown=_mean(people, PersonPictures.calibrated_accuracy, UNCERTAIN_BELOW),
        averaged=_mean(people, PersonPictures.averaged_accuracy),
        averaged_shown=_mean(people, PersonPictures.averaged_accuracy, UNCERTAIN_BELOW),
        calibrated_held_out=calibrated,
        best_calibration=best_calibration,
        averaged_held_out=averaged,
        best_average=best_average,
    )


def _mean(people: Sequence[PersonPictures], accuracy: Callable[..., float], at_least: float = 0.0) -> float:
    return float(np.mean([accuracy(person, at_least=at_least) for person in people]))


def table(rows: Sequence[Row]) -> Table:
    """Return the table that is printed. After a / is the share that is right and shown, not uncertain."""
    head = ["data", "detector", "model", "faces found", "accuracy (95%) / shown", "mean recall"]
    head += ["people", "their accuracy / shown"]
    head += [f"{way} by {STRENGTH:g}, {OFFSET:g} / shown" for way in ("calibrated", "average")]
    head += ["calibrated, chosen on others", "average, likewise"]
    cells = []
    for row in rows:
        low, high = row.accuracy_ci95
        line = [row.data, row.detector, row.model, f"{row.found} of {row.pictures}"]
        line += [f"{row.accuracy:.1%} ({low:.1%} to {high:.1%}) / {row.shown:.1%}", f"{row.mean_recall:.3f}"]
        line += [str(row.people) if row.people else "-"]
        line.append(f"{_percent(row.people_accuracy)} / {_percent(row.people_shown)}")
        line.append(f"{_percent(row.calibrated)} / {_percent(row.calibrated_shown)}")
        line.append(f"{_percent(row.averaged)} / {_percent(row.averaged_shown)}")
        line.append(_percent(row.calibrated_held_out) + _pair(row.best_calibration))
        line.append(_percent(row.averaged_held_out) + _pair(row.best_average))
        cells.append(line)
    return Table(head, cells)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _pair(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f" (best {pair[0]:g}, {pair[1]:g})"


if __name__ == "__main__":
    raise SystemExit(main())

"""Measure the recall, the false alarms and the time of each detector.

python -m benchmarks.detection --faces photographs/faces --nofaces photographs/nofaces
python -m benchmarks.detection --faces photographs/faces --nofaces photographs/nofaces --smallest 0.1 0.05 0.02

The first row of a detector is its thorough search, which pictures get; the others look for faces of at least a share of
the longer side, as in a video.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measure.detectors import detect, open_detectors
from benchmarks.measure.labelled import only_pictures
from benchmarks.report.blocks import Table, plain
from edge.arguments import ArgumentParser, positive_share
from edge.detector import DETECTORS, set_cores
from edge.detectors.base import Detector
from edge.errors import DataError, SourceError, exit_status
from edge.picture import read_picture
from edge.untrusted import printable
from train.progress import Advance, progress


@dataclass(frozen=True)
class Options:
    faces: Path
    nofaces: Path
    detector: Sequence[str]
    detector_model: Path | None
    smallest: Sequence[float]  # shares of the longer side


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.detection", __doc__)
    parser.add_argument("--faces", type=Path, required=True, help="folder of pictures with faces, subfolders too")
    parser.add_argument("--nofaces", type=Path, required=True, help="folder of pictures without a human face")
    parser.add_argument("--detector", nargs="+", choices=DETECTORS, default=[], help="all that run here if not named")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file")
    parser.add_argument(
        "--smallest",
        type=positive_share,
        nargs="*",
        default=[1 / 15, 1 / 32],
        help="shares of the longer side to look for too",
    )
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: detection(options))


def detection(options: Options) -> int:
    """Print a row for each detector and search."""
    faces = _pictures(options.faces)
    nofaces = _pictures(options.nofaces)
    searches = [None, *options.smallest]
    rows = []
    detectors = open_detectors(options.detector_model, options.detector)
    with progress() as start_stage:
        for detector in detectors:
            set_cores(detector, 1)
            advance = start_stage(detector.name, len(searches) * (len(faces) + len(nofaces)))
            rows += [_row(detector, search, faces, nofaces, advance) for search in searches]
            detector.close()
    print(plain(Table(["detector", "search", "pictures with a face", "faces", "false alarms", "median ms"], rows)))
    return 0


def _row(
    detector: Detector, search: float | None, faces: Sequence[Path], nofaces: Sequence[Path], advance: Advance
) -> list[str]:
    counts, times_ms = measure(detector, faces, search, advance)
    false_alarms, _ = measure(detector, nofaces, search, advance)
    return [
        detector.name,
        "thorough" if search is None else f"from {search:.3f} of the longer side",
        f"{np.count_nonzero(counts)} of {len(faces)}",
        str(sum(counts)),
        f"{np.count_nonzero(false_alarms)} of {len(nofaces)}",
        f"{np.median(times_ms):.1f}",
    ]


def measure(
    detector: Detector, pictures: Sequence[Path], search: float | None, advance: Advance
) -> tuple[list[int], list[float]]:
    """Return the number of faces detected in each picture, and the times in ms."""
    counts = []
    times_ms = []
    for path in pictures:
        image = read_picture(path)
        smallest = None if search is None else search * max(image.shape[:2])
        start = time.perf_counter()
        counts.append(len(detect(detector, image, path, smallest)))
        times_ms.append(1000 * (time.perf_counter() - start))
        advance()
    return counts, times_ms


def _pictures(folder: Path) -> list[Path]:
    """List all pictures below a folder; a damaged one is left out. Raises DataError if there are none."""
    pictures = []
    for path in only_pictures(folder, folder.rglob("*")):
        try:
            read_picture(path)
            pictures.append(path)
        except SourceError as error:
            print(printable(f"left out: {error}"), file=sys.stderr)
    if not pictures:
        raise DataError(f"expected pictures below {folder}, found none; check the folder")
    return pictures


if __name__ == "__main__":
    raise SystemExit(main())

"""Summarize an export: a table of its files, what is slower on this machine, and how to run them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.backend import open_backend
from edge.quiet import quiet
from edge.timing import time_inference
from export.format import Format
from export.subject import Subject
from export.verify import PORTRAIT, Parity
from train.data import FaceSet
from train.progress import Advance

TIMED_RUNS = 400
TIMED_FACES = 20
SLOWER = 1.02  # times float32's median; below it, two files count as equally fast


@dataclass(frozen=True)
class ExportedFile:
    """Name a file that was verified and written."""

    path: Path
    precision: str
    parity: Parity


def latencies(
    file_format: Format,
    subject: Subject,
    files: Sequence[ExportedFile],
    faces: FaceSet,
    advance: Advance,
) -> tuple[float, list[float]]:
    """Return the median ms of one inference on one thread: float32's in this format, and each file's.

    All files take turns; if none is float32, a temporary float32 file takes part.
    """
    precisions = [file.precision for file in files]
    with tempfile.TemporaryDirectory() as folder:
        paths = [file.path for file in files]
        if "float32" not in precisions:
            paths.append(Path(folder) / f"float32{file_format.suffix}")
            with quiet():
                file_format.write(paths[-1], file_format.convert(subject.folded, "float32", None), subject.card)
        backends = [open_backend(path) for path in paths]
        timed_faces = list(faces.images[:: max(1, len(faces) // TIMED_FACES)])
        times = [float(np.median(values)) for values in time_inference(backends, timed_faces, TIMED_RUNS, advance)]
    base = times[[*precisions, "float32"].index("float32")]
    return base, times[: len(files)]


def report(files: Sequence[ExportedFile], times: Sequence[float], base: float, split: str) -> None:
    """Print the table, and the commands that run the files.

    `times` and `base` are those of `latencies`; `split` names the faces that the files were verified on.
    """
    width = max(len(str(file.path)) for file in files)
    print(f"{'file':<{width}}     MB  accuracy  agreement  largest difference      ms  against float32")
    for file, time in zip(files, times, strict=True):
        print(f"{file.path!s:<{width}} {_row(file, time, base)}")
    for file in files:
        print(f"{file.precision}: {file.parity}; flips: {file.parity.flipped()}")
    if split == PORTRAIT:
        print(
            f"no data set at hand (--data): verified against Keras on {PORTRAIT} alone; accuracies are those recorded "
            "for the same graph when it was calibrated"
        )
    for file, time in zip(files, times, strict=True):
        if time > SLOWER * base:
            print(f"{file.precision} is slower than float32 on this machine: {time:.3f} against {base:.3f} ms")
    for file in files:
        print(f"run it: python edge/run.py --model {file.path}")


def _row(file: ExportedFile, time: float, base: float) -> str:
    parity = file.parity
    accuracy = "-" if parity.accuracy is None else f"{parity.accuracy:.2%}"
    speed = "-" if file.precision == "float32" else f"{base / time:.2f} times as fast"
    return (
        f"{file.path.stat().st_size / 1e6:6.2f}  {accuracy:>8}  {parity.agreement:9.2%}  "
        f"{parity.largest_difference:18.2g}  {time:6.3f}  {speed}"
    )

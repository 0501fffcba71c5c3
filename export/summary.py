"""What an export says at its end: a table of its files, what is slower here, and how to run them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.backend import open_backend
from edge.card import ModelCard
from edge.labels import EMOTIONS
from edge.quiet import quiet
from edge.timing import time_inference
from edge.values import Image
from export.format import Format
from export.verify import PORTRAIT, Parity
from train.forms import FACE_SIZE
from train.progress import Advance

if TYPE_CHECKING:
    import keras


TIMED_RUNS, TIMED_FACES = 400, 20
SLOWER = 1.02  # times float32's median; below it, two files count as equally fast


@dataclass(frozen=True)
class ExportedFile:
    """A file that was proven and written."""

    path: Path
    precision: str
    parity: Parity


def latencies(
    form: Format, model: keras.Model, proven: Sequence[ExportedFile], faces: Image, advance: Advance
) -> list[float]:
    """Median ms of one inference on one thread: of float32 in this format, then of each file, all taking turns."""
    with tempfile.TemporaryDirectory() as folder:
        base = next((item.path for item in proven if item.precision == "float32"), None)
        if base is None:
            base = Path(folder) / f"float32{form.suffix}"
            card = ModelCard(EMOTIONS, model.input_shape[1], FACE_SIZE, "float32", model.name)
            with quiet():
                form.write(base, form.convert(model, "float32", None), card)
        backends = [open_backend(path) for path in (base, *(item.path for item in proven))]
        times = time_inference(backends, list(faces[:: max(1, len(faces) // TIMED_FACES)]), TIMED_RUNS, advance)
    return [float(np.median(values)) for values in times]


def report(proven: Sequence[ExportedFile], times: Sequence[float], held_on: str) -> None:
    """Print the table, and the commands that run the files; `held_on` names the faces at hand."""
    base, own = times[0], times[1:]
    width = max(len(str(item.path)) for item in proven)
    print(f"{'file':<{width}}     MB  accuracy  agreement  largest difference      ms  against float32")
    for item, time in zip(proven, own, strict=True):
        parity, size = item.parity, item.path.stat().st_size / 1e6
        accuracy = "       -" if parity.accuracy is None else f"{parity.accuracy:8.2%}"
        print(
            f"{item.path!s:<{width}} {size:6.2f}  {accuracy}  {parity.agreement:9.2%}  "
            f"{parity.largest_difference:18.2g}  {time:6.3f}  {base / time:.2f} times as fast"
        )
    for item in proven:
        print(f"{item.precision}: {item.parity}; flips: {item.parity.flipped()}")
    if held_on == PORTRAIT:
        print(
            f"no data set at hand (--data): held against Keras on {PORTRAIT} alone; an accuracy above is that on "
            "record for this very graph, byte for byte, from when it was calibrated"
        )
    for item, time in zip(proven, own, strict=True):
        if time > SLOWER * base:
            print(f"{item.precision} is slower than float32 on this machine: {time:.3f} against {base:.3f} ms")
    for item in proven:
        print(f"run it: python edge/run.py --model {item.path}")

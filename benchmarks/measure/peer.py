"""Time the peer `fer` (PyPI), used as its README says, on the same frames and in the same run.

It needs other versions of numpy and OpenCV, so it runs in a process of its own, by a Python that has it: this file, run
as a script, is that process. It reads "start stop" lines and answers each with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "fer==25.10.3"


def check_peer(python: str) -> None:
    """Raise SourceError unless `python` has fer; quick, to be called before long work."""
    from edge.errors import SourceError

    script = "import importlib.util, sys; sys.exit(importlib.util.find_spec('fer') is None)"
    try:
        installed = subprocess.run([python, "-c", script], capture_output=True).returncode == 0
    except OSError:
        installed = False
    if not installed:
        raise SourceError(f"expected --peer a Python that has {PACKAGE}, found {python}; leave it out, or install it")


@contextlib.contextmanager
def open_peer(python: str, images: Sequence[Any]) -> Iterator[Callable[[range], list[float]]]:
    """Give a function from indices of `images` (uint8, all of one size) to fer's milliseconds for each of them.

    Raises SourceError where `python` does not exist or lacks fer, or where fer fails.
    """
    from benchmarks.measure.child import open_child  # here: the peer's Python runs this file and does not see these
    from edge.errors import SourceError

    def error(reason: str) -> SourceError:
        return SourceError(f"expected --peer a Python that runs {PACKAGE}, {python} failed: {reason}")

    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", np.stack(images))
        with open_child([python, __file__, f"{folder}/images.npy"], error) as child:

            def time_frames(indices: range) -> list[float]:
                times: list[float] = child.ask(f"{indices.start} {indices.stop}")
                return times

            time_frames(range(2))  # loads, and warms up
            yield time_frames


def _serve(images_file: str) -> None:
    """Answer until stdin ends: the peer's process."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # fer and its libraries print to stdout
    images = np.load(images_file)
    from fer.fer import FER

    detector = FER(mtcnn=False)
    for line in sys.stdin:
        times = []
        for i in range(*map(int, line.split())):
            start = time.perf_counter()
            detector.detect_emotions(images[i])
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])

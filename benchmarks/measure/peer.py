"""The peer `fer` (PyPI), as its README uses it, on the same frames and in the same run.

It asks for other versions of numpy and OpenCV than ours, so it runs in a process of its own, by a Python that has it:
this file, run as a script, is that process. It reads "start stop" lines and answers with a line of JSON each.
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


def check_peer(python: str) -> None:
    """Raise SourceError unless that is a Python that has fer; quick, so that it can be asked before long work."""
    from edge.errors import SourceError

    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('fer') is None)"
    try:
        there = subprocess.run([python, "-c", look], capture_output=True).returncode == 0
    except OSError:
        there = False
    if not there:
        raise SourceError(
            f"expected --peer a Python that has fer==25.10.3, found {python}; leave it out, or install it"
        )


@contextlib.contextmanager
def open_peer(python: str, images: Sequence[Any]) -> Iterator[Callable[[range], list[float]]]:
    """A function that takes numbers of `images` (uint8, all of one size) and gives fer's milliseconds for each.

    Raises SourceError where `python` is none, has no fer, or fer fails.
    """
    from benchmarks.measure.child import (
        open_child,  # not above: the peer's Python, which runs this file, does not see these
    )
    from edge.errors import SourceError

    def failed(why: str) -> SourceError:
        return SourceError(f"expected --peer a Python that runs fer==25.10.3, {python} says: {why}")

    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", np.stack(images))
        with open_child([python, __file__, f"{folder}/images.npy"], failed) as child:

            def ask(frames: range) -> list[float]:
                times: list[float] = child.ask(f"{frames.start} {frames.stop}")
                return times

            ask(range(2))  # loads, and warms up
            yield ask


def _serve(file: str) -> None:
    """The peer's process."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else wants to print
    images = np.load(file)
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

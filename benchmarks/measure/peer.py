"""Run the peer `fer` (PyPI), used as its README says, on the same frames and pictures and in the same run.

It needs other versions of numpy and OpenCV, so it runs in a process of its own, by a Python that has it: this file, run
as a script, is that process. Each line that it reads is JSON: a picture's file name or the index of a frame. It answers
with its milliseconds and the probabilities of the largest face by fer's names, null if it found none.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.measure.child import Child
    from edge.values import Probabilities

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


class Peer:
    """Ask the peer's process. All methods raise SourceError where fer fails."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def time(self, indices: range) -> list[float]:
        """Return fer's milliseconds for each of these frames."""
        return [self._child.ask(json.dumps(i))[0] for i in indices]

    def read(self, paths: Sequence[Path]) -> Probabilities:
        """Return fer's probabilities [n, 7] for picture files, in the order of EMOTIONS; a missed face has zeros."""
        from edge.labels import EMOTIONS

        rows = np.zeros((len(paths), len(EMOTIONS)), dtype=np.float32)
        for row, path in zip(rows, paths, strict=True):
            _, emotions = self._child.ask(json.dumps(str(path.resolve())))
            if emotions is not None:
                row[:] = [emotions[emotion] for emotion in EMOTIONS]
        return rows


@contextlib.contextmanager
def open_peer(python: str, frames: Sequence[Any] = ()) -> Iterator[Peer]:
    """Start fer; `frames` (uint8, all of one size) are those that it will be timed on.

    Raises SourceError where `python` does not exist or lacks fer, or where fer fails.
    """
    from benchmarks.measure.child import open_child  # here: the peer's Python runs this file and does not see these
    from edge.errors import SourceError

    def error(reason: str) -> SourceError:
        return SourceError(f"expected --peer a Python that runs {PACKAGE}, {python} failed: {reason}")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frames.npy"
        np.save(file, np.stack(frames) if len(frames) else np.zeros(0, np.uint8))
        with open_child([python, __file__, str(file)], error) as child:
            peer = Peer(child)
            peer.time(range(min(2, len(frames))))  # loads, and warms up
            yield peer


def _serve(frames_file: str) -> None:
    """Answer until stdin ends: the peer's process."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # fer and its libraries print to stdout
    frames = np.load(frames_file)
    import cv2
    from fer.fer import FER

    detector = FER(mtcnn=False)
    for line in sys.stdin:
        request = json.loads(line)
        image = cv2.imread(request) if isinstance(request, str) else frames[request]
        start = time.perf_counter()
        faces = [] if image is None else detector.detect_emotions(image)
        milliseconds = 1000 * (time.perf_counter() - start)
        largest = max(faces or [], key=lambda face: face["box"][2], default=None)
        emotions = {name: float(value) for name, value in largest["emotions"].items()} if largest else None
        print(json.dumps([milliseconds, emotions]), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])

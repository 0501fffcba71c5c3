"""Read pictures with the peer `fer` (PyPI), used as its README says.

It needs other versions of numpy and OpenCV, so it runs in a process of its own, by a Python that has it: this file, run
as a script, is that process. It reads a file name a line and answers each with a line of JSON: probabilities by fer's
own names, or null where it finds no face.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.measure.labelled import LabelledPicture
    from edge.values import Probabilities


def read_with_peer(python: str, pictures: Sequence[LabelledPicture]) -> Probabilities:
    """Return fer's probabilities [n, 7] in the order of EMOTIONS; a missed face has zeros. Raises SourceError."""
    from benchmarks.measure.child import open_child  # here: the peer's Python runs this file and does not see these
    from benchmarks.measure.peer import PACKAGE, check_peer
    from edge.errors import SourceError
    from edge.labels import EMOTIONS

    def error(reason: str) -> SourceError:
        return SourceError(f"expected --peer a Python that runs {PACKAGE}, {python} failed: {reason}")

    check_peer(python)
    rows = np.zeros((len(pictures), len(EMOTIONS)), dtype=np.float32)
    with open_child([python, __file__], error) as child:
        for i, picture in enumerate(pictures):
            emotions = child.ask(str(picture.path.resolve()))
            if emotions is not None:
                rows[i] = [emotions[emotion] for emotion in EMOTIONS]
    return rows


def _serve() -> None:
    """Answer until stdin ends: the peer's process."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # fer and its libraries print to stdout
    import cv2
    from fer.fer import FER

    detector = FER(mtcnn=False)
    for line in sys.stdin:
        image = cv2.imread(line.rstrip("\n"))
        faces = [] if image is None else detector.detect_emotions(image)
        largest = max(faces, key=lambda face: face["box"][2], default=None)
        emotions = {name: float(value) for name, value in largest["emotions"].items()} if largest else None
        print(json.dumps(emotions), file=answers, flush=True)


if __name__ == "__main__":
    _serve()

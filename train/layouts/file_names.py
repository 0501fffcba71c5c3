"""Tell the emotion by a picture's own name, as the laboratories' data sets give it.

KDEF    AF01ANS.JPG                  session, sex, person, emotion, angle (Lundqvist, Flykt and Öhman 1998)
JAFFE   KA.AN1.39.tiff               person, emotion and take, number (Lyons et al. 1998)
CK+     S005_001_00000011.png        person, sequence, frame; S005_001_00000011_emotion.txt has the label of the
                                     frame, which is the last of its sequence (Lucey et al. 2010)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edge.errors import DataError

CODES = {"AF": "fear", "AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral", "SA": "sad"}
CODES |= {"SU": "surprise"}
KDEF = re.compile(r"[AB][FM]\d\d(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.", re.IGNORECASE)
JAFFE = re.compile(r"[A-Z]{2}\.(AN|DI|FE|HA|NE|SA|SU)\d\.\d+\.", re.IGNORECASE)
CK_FRAME = re.compile(r"S\d+_\d+_\d+\.", re.IGNORECASE)
CK_SUFFIX = "_emotion.txt"
CK_LABELS = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # by number
MAX_LABEL = 64  # bytes of a file with a label; "   3.0000000e+00\n" is one


def coded_label(name: str) -> str | None:
    """Return the emotion that a KDEF or JAFFE name holds, None for any other name."""
    match = KDEF.match(name) or JAFFE.match(name)
    return CODES[match[1].upper()] if match else None


def frame_labels(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the stem of each CK+ frame that a file among these, below `root`, labels -> its emotion.

    Raises DataError.
    """
    found = (root / path for path in paths if path.lower().endswith(CK_SUFFIX))
    return {file.name[: -len(CK_SUFFIX)].lower(): _frame_label(file) for file in found}


def _frame_label(file: Path) -> str:
    with file.open("rb") as opened:
        text = opened.read(MAX_LABEL).decode("ascii", "replace").strip()
    try:
        number = float(text)
    except ValueError:
        number = -1
    if number not in range(len(CK_LABELS)):
        raise DataError(f"expected a number from 0 to {len(CK_LABELS) - 1} in {file}, found {text!r}")
    return CK_LABELS[int(number)]

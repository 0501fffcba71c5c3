"""Tell which data set faces are from, and under which terms it is given: what a model card says of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from train.layouts.file_names import CK_FRAME, JAFFE, KDEF

UNKNOWN_TERMS = "licence not stated"
FER2013 = "FER-2013"
FER2013_TERMS = "pictures for research use"
# Data sets that file names tell -> the pattern, and the terms of use.
KNOWN = {
    FER2013: (re.compile(r"(Training|PublicTest|PrivateTest)_\d+"), FER2013_TERMS),
    "KDEF": (KDEF, "for non-commercial research"),
    "JAFFE": (JAFFE, "for non-commercial research"),
    "CK+": (CK_FRAME, "for research, by agreement"),
}


def data_set(names: Sequence[str], path: Path) -> tuple[str, str]:
    """Return the name of the data set of faces with these file names, and its terms.

    It is a public one if all names are of its kind; else it is called as its folder or file is.
    """
    for known, (pattern, terms) in KNOWN.items():
        if all(map(pattern.match, names)):
            return known, terms
    return path.resolve().name, UNKNOWN_TERMS

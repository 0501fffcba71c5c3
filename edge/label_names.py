"""Tell which emotion the name of a folder, a column or an output means."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from edge.labels import EMOTIONS

CONTEMPT = "contempt"  # an eighth emotion, of AffectNet, CK+ and FER+; FER-2013 lacks it
SYNONYMS = {"anger": "angry", "disgusted": "disgust", "fearful": "fear", "happiness": "happy", "sadness": "sad"}
SYNONYMS |= {"surprised": "surprise", "afraid": "fear", "scared": "fear", "calm": "neutral", "natural": "neutral"}
SYNONYMS |= {"joy": "happy", "happily": "happy", "neutrality": "neutral", "contemptuous": CONTEMPT}
SYNONYMS |= {"suprise": "surprise", "suprised": "surprise", "surprize": "surprise", "nuetral": "neutral"}
KNOWN = {name: name for name in (*EMOTIONS, CONTEMPT)} | SYNONYMS

# A name this like a known one is a misspelling of it: hapiness, angery, disguist. Below, other words begin: unhappy.
LEAST_LIKENESS = 0.85
LEAST_LENGTH = 5  # characters of a misspelling: among short words, too many are alike


def plain_name(name: str) -> str:
    """Return a folder's name in lower case, without a number before it: `0_Angry` gives `angry`."""
    name = name.strip().lower()
    return re.sub(r"^\d+[\W_]+(?=[^\W\d_])", "", name)


def known_label(name: str) -> str | None:
    """Return the emotion that a name means, one of EMOTIONS or contempt; None for any other name."""
    name = plain_name(name)
    return KNOWN.get(name) or misspelled(name)


def misspelled(name: str) -> str | None:
    """Return the emotion that a plain name misspells, None if it is another word."""
    if len(name) < LEAST_LENGTH or name in KNOWN:
        return None
    likeness = {known: SequenceMatcher(None, name, known).ratio() for known in KNOWN if known[0] == name[0]}
    best = max(likeness, key=likeness.__getitem__, default="")
    return KNOWN[best] if best and likeness[best] >= LEAST_LIKENESS else None


def label(name: str) -> str:
    """Return the class that a name means: an emotion, or a class of its own."""
    return known_label(name) or plain_name(name)

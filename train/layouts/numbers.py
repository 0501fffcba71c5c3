"""Tell which class a number stands for. It is never guessed: data sets number the emotions in different orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from edge.errors import DataError
from train.layouts.base import Note

CSV_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # fer2013.csv's own order
# Faces of each emotion in fer2013.csv, in this order (Goodfellow et al. 2013).
_FER2013: dict[str, tuple[int, ...]] = {
    "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "public": (467, 56, 496, 895, 653, 415, 607),
    "private": (491, 55, 528, 879, 594, 416, 626),
}
_FER2013["test"] = tuple(map(sum, zip(_FER2013["public"], _FER2013["private"], strict=True)))
_FER2013["all"] = tuple(map(sum, zip(_FER2013["train"], _FER2013["test"], strict=True)))
BY_COUNTS = "by the counts of FER-2013"
TOLERANCE = 0.01  # of an emotion's count; angry and fear, the two most alike, are 2.5% apart in Training

ORDERS = (  # for the message; docs/training.md has the same table
    "fer2013.csv: angry,disgust,fear,happy,sad,surprise,neutral; alphabetical: angry,disgust,fear,happy,neutral,sad,"
    "surprise; RAF-DB from 1: surprise,fear,disgust,happy,sad,angry,neutral; AffectNet: neutral,happy,sad,surprise,"
    "fear,disgust,angry,contempt"
)


def numbers_note(where: str, names: Mapping[int, str], labels: Sequence[str], otherwise: str) -> Note:
    """Return the note on which class each number stands for; without `labels`, `otherwise` tells it."""
    listed = ", ".join(f"{number} {name}" for number, name in sorted(names.items()))
    return Note(f"numbers of {where}: {listed} ({'--labels' if labels else otherwise})", by_labels=bool(labels))


def name_numbers(counts: Mapping[str, Counter[int]], labels: Sequence[str], where: str) -> dict[int, str]:
    """Return number -> class, for faces counted by split and number.

    The names are those of `labels`, in the order of the numbers, or FER-2013's where the counts are its own. Raises
    DataError if neither tells them.
    """
    numbers = sorted({number for own in counts.values() for number in own})
    if labels:
        return _by_order(numbers, labels, where)
    found = [names for own in counts.values() if (names := recognize(own))]
    if found and all(names == found[0] for names in found) and list(found[0]) == numbers:
        return found[0]
    raise DataError(
        f"cannot tell which classes the numbers {numbers[0]} to {numbers[-1]} of {where} are; add --labels with their "
        f"names in the order of the numbers ({ORDERS})"
    )


def recognize(counts: Mapping[int, int]) -> dict[int, str] | None:
    """Return number -> emotion if the counts are FER-2013's, or in proportion to them; None if that is not sure.

    It is sure where each count fits one emotion alone.
    """
    answers = {names for reference in _FER2013.values() if (names := _assign(counts, reference))}
    return dict(zip(sorted(counts), answers.pop(), strict=True)) if len(answers) == 1 else None


def _assign(counts: Mapping[int, int], reference: Sequence[int]) -> tuple[str, ...] | None:
    scale = sum(counts.values()) / sum(reference)
    names = []
    for number in sorted(counts):
        fits = [
            emotion
            for emotion, count in zip(CSV_LABELS, reference, strict=True)
            if abs(counts[number] - scale * count) <= max(1.0, TOLERANCE * scale * count)
        ]
        if len(fits) != 1:
            return None
        names += fits
    return tuple(names) if sorted(names) == sorted(CSV_LABELS) else None


def _by_order(numbers: Sequence[int], labels: Sequence[str], where: str) -> dict[int, str]:
    """Name the numbers, which start at 0 or at 1, by their order."""
    first = 0 if 0 in numbers else 1
    needed = numbers[-1] - first + 1
    if needed > len(labels) or (first == 1 and needed < len(labels)):
        raise DataError(
            f"expected --labels to name each of the numbers {first} to {numbers[-1]} of {where}, found {len(labels)} "
            f"names: {', '.join(labels)}"
        )
    return {number: labels[number - first] for number in numbers}

"""Read annotators' votes on faces, and define their clear majorities.

Two formats are read: FER+'s own file fer2013new.csv (Barsoum et al. 2016, https://github.com/microsoft/FERPlus), whose
rows are those of fer2013.csv, and the same with the file names of any pictures in the column `name`:

    Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
    name,usage,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF

`NF` means "no face". Ten annotators voted on each face.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.label_names import SYNONYMS
from edge.labels import EMOTIONS
from edge.values import Floats

NO_FACE = "NF"
OTHER_CHOICES = ("contempt", "unknown", NO_FACE)  # what annotators can choose in place of one of EMOTIONS
CHOICES = (*EMOTIONS, *OTHER_CHOICES)
CLEAR_SHARE = 0.5  # of all votes: five of ten
NAMES = ("name", "Image name")  # columns with the file names of the faces
LEAST_COVERAGE = 0.5  # of the faces: below it, the table is on another data set whose names happen to match
# Clear majorities agree with 68% of FER-2013's labels. Where votes are on other faces, they agree with about 20%.
LEAST_AGREEMENT = 0.4
LEAST_COMPARED = 100  # clear majorities; fewer may disagree by chance


@dataclass(frozen=True)
class Votes:
    """Votes on n faces: counts float32 [n, 10] in the order of CHOICES, all 0 for a face without votes."""

    counts: Floats

    @property
    def emotion_counts(self) -> Floats:
        """Return the votes for EMOTIONS alone, [n, 7]."""
        return self.counts[:, : len(EMOTIONS)]

    def shares(self) -> Floats:
        """Return each emotion's share of the votes for EMOTIONS, float32 [n, 7]; all 0 for a face without any."""
        totals = self.emotion_counts.sum(axis=1, keepdims=True)
        return np.asarray(self.emotion_counts / np.maximum(totals, 1e-9), dtype=np.float32)

    def no_face(self) -> npt.NDArray[np.bool_]:
        """Return which faces are no face to the annotators: NF has more votes than any other choice; bool [n]."""
        index = CHOICES.index(NO_FACE)
        others = np.delete(self.counts, index, axis=1)
        return np.asarray(self.counts[:, index] > others.max(axis=1))

    def usable(self) -> npt.NDArray[np.bool_]:
        """Return which faces have votes for an emotion and are a face to the annotators; bool [n]."""
        return np.asarray((self.emotion_counts.sum(axis=1) > 0) & ~self.no_face())

    def majority(self) -> npt.NDArray[np.int64]:
        """Return the index into EMOTIONS of the most votes, int64 [n]; see `clear` for those that mean something."""
        return self.emotion_counts.argmax(axis=1)

    def clear(self) -> npt.NDArray[np.bool_]:
        """Return which faces have a clear majority; bool [n].

        One emotion has at least half of all votes (five of ten), more than any other emotion, and more than contempt,
        unknown and no face each.
        """
        ranked = np.sort(self.counts, axis=1)
        highest = self.emotion_counts.max(axis=1)
        enough = (highest > 0) & (highest >= CLEAR_SHARE * self.counts.sum(axis=1))
        return np.asarray(enough & (highest == ranked[:, -1]) & (ranked[:, -1] > ranked[:, -2]))


@np.errstate(over="ignore")  # an infinite count is refused
def read_votes(path: Path) -> dict[str, Floats]:
    """Read a table of votes: a face's name without suffix -> counts float32 [10] in the order of CHOICES.

    A row of fer2013new.csv is also found by the name that train.layouts.table gives to that row of fer2013.csv: its
    split and number. Columns for OTHER_CHOICES may be missing (no votes). Raises DataError for any other file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError("expected a header and a row for each face, found no row")
        columns = {SYNONYMS.get(name, name): name for name in rows[0]}
        named = next((name for name in NAMES if name in columns), None)
        if named is None:
            raise ValueError("no column 'name' or 'Image name' with the file names of the faces")
        if missing := [emotion for emotion in EMOTIONS if emotion not in columns]:
            raise ValueError(f"no column for {', '.join(missing)}")
        table = {Path(row[named]).stem: _counts(row, columns) for row in rows if row[named]}
        if named == "Image name" and "Usage" in columns:
            table |= {f"{row['Usage']}_{i}": _counts(row, columns) for i, row in enumerate(rows)}
        return table
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"expected a table of votes such as FER+'s, cannot read {path}: {error}") from error


def _counts(row: dict[str, str], columns: dict[str, str]) -> Floats:
    fields = [row[columns[choice]] if choice in columns else "0" for choice in CHOICES]
    counts = np.array([float(field or "nan") for field in fields], dtype=np.float32)  # None: the row is cut short
    if not np.isfinite(counts).all() or counts.min() < 0:
        raise ValueError(f"expected counts of 0 or more of each choice, found {counts.tolist()}")
    return counts


def votes_on(names: Sequence[str], path: Path) -> Votes:
    """Return the votes on the faces with these file names, in their order; suffixes do not matter.

    Raises DataError if the table has votes on fewer than half of the faces.
    """
    table = read_votes(path)
    no_votes = np.zeros(len(CHOICES), dtype=np.float32)
    votes = Votes(np.stack([table.get(Path(name).stem, no_votes) for name in names]))
    covered = int((votes.counts.sum(axis=1) > 0).sum())
    if covered < LEAST_COVERAGE * len(names):
        raise DataError(
            f"expected votes on faces such as {names[0]} in {path}, found {covered} of {len(names)}; "
            "its names must be the faces' file names; FER+'s fer2013new.csv fits fer2013.csv alone"
        )
    return votes


def votes_of(names: Sequence[str], labels: npt.NDArray[np.int64], path: Path) -> Votes:
    """Return the votes on faces whose labels [n] are known; see votes_on.

    Raises DataError also where votes and labels contradict each other: the rows are of other faces.
    """
    votes = votes_on(names, path)
    clear = votes.clear()
    agreement = float((votes.majority() == labels)[clear].mean()) if clear.sum() >= LEAST_COMPARED else 1.0
    if agreement < LEAST_AGREEMENT:
        raise DataError(
            f"expected votes on these faces in {path}, found votes that agree with {agreement:.0%} of their labels: "
            "names or rows are of other faces"
        )
    return votes

"""Sum up one person: time by emotion, changes, strongest moments and a timeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.labels import UNCERTAIN
from edge.values import Floats

MAX_BINS = 1024  # of a timeline
FIRST_BINS = 8  # of a timeline; it grows as it is used
PEAK_STEP = 0.01  # by which a moment's probability must exceed the strongest so far


@dataclass(frozen=True)
class FaceEvent:
    """Hold one face of an event: `box` is [x, y, width, height] in pixels."""

    id: int
    box: tuple[int, int, int, int]
    emotion: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Event:
    """Hold one line of an events file. Its faces are there until the next line's time."""

    frame: int
    time_s: float
    faces: Sequence[FaceEvent]
    error: str | None = None


@dataclass
class Peak:
    """Locate the moment in which an emotion was most probable; `picture` is the face as JPEG, if it was kept."""

    probability: float
    frame: int
    time_s: float
    box: tuple[int, int, int, int]
    picture: bytes | None = None


class Timeline:
    """Hold seconds by bin, [bins, columns]; the bins of one session have the same width."""

    def __init__(self, columns: int) -> None:
        self.seconds = np.zeros((FIRST_BINS, columns), dtype=np.float32)

    def add(self, start: float, stop: float, values: Floats) -> None:
        """Add `values` for each second from `start` to `stop`, both in bins."""
        first, last = int(start), min(int(stop), MAX_BINS - 1)
        self._grow(last + 1)
        bins = np.arange(first, last + 1)
        overlaps = np.minimum(bins + 1, stop) - np.maximum(bins, start)
        self.seconds[first : last + 1] += np.outer(overlaps, values)

    def first(self, bins: int) -> Floats:
        """Return so many bins, [bins, columns]; those that were never used hold zeros."""
        self._grow(bins)
        return self.seconds[:bins]

    def _grow(self, bins: int) -> None:
        while len(self.seconds) < bins:
            self.seconds = np.concatenate([self.seconds, np.zeros_like(self.seconds)])

    def halve(self) -> None:
        """Merge pairs of bins: the width has doubled."""
        half = len(self.seconds) // 2
        self.seconds[:half] = self.seconds[0::2] + self.seconds[1::2]
        self.seconds[half:] = 0

    def merge(self, other: Timeline) -> None:
        """Add another timeline with bins of the same width."""
        self._grow(len(other.seconds))
        self.seconds[: len(other.seconds)] += other.seconds

    def sum_up(self) -> None:
        """Merge all bins into one."""
        self.seconds = self.seconds.sum(axis=0, keepdims=True)


class Person:
    """Sum up one person, who is a face that was tracked under one id."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self.name = name
        self.labels = tuple(labels)
        self.seconds: defaultdict[str, float] = defaultdict(float)  # by emotion as it was shown, `uncertain` included
        self.changes = 0
        self.peaks: dict[str, Peak] = {}
        self.probabilities = Timeline(len(labels))  # seconds, weighted by each emotion's probability
        self.shown = Timeline(len(labels) + 1)  # seconds of each emotion as it was shown; the last is `uncertain`
        self.emotion: str | None = None  # as it was shown last

    @property
    def seen_s(self) -> float:
        return sum(self.seconds.values())

    def note(self, event: Event, face: FaceEvent) -> Peak | None:
        """Count a change and keep the strongest moment; return that moment if it is this one."""
        self.changes += self.emotion not in (None, face.emotion)
        self.emotion = face.emotion
        if face.emotion == UNCERTAIN:
            return None
        probability = face.probabilities.get(face.emotion, 0.0)
        best = self.peaks.get(face.emotion)
        if best is not None and probability < best.probability + PEAK_STEP:
            return None
        self.peaks[face.emotion] = Peak(probability, event.frame, event.time_s, face.box)
        return self.peaks[face.emotion]

    def add(self, face: FaceEvent, start_s: float, stop_s: float, bin_s: float) -> None:
        """Add the time from `start_s` to `stop_s`, in which the face was there."""
        self.seconds[face.emotion] += stop_s - start_s
        start, stop = start_s / bin_s, stop_s / bin_s
        values = [bin_s * face.probabilities.get(label, 0.0) for label in self.labels]
        self.probabilities.add(start, stop, np.array(values, dtype=np.float32))
        shown = np.zeros(len(self.labels) + 1, dtype=np.float32)
        shown[self.labels.index(face.emotion) if face.emotion in self.labels else -1] = bin_s
        self.shown.add(start, stop, shown)

    def halve(self) -> None:
        self.probabilities.halve()
        self.shown.halve()

    def merge(self, other: Person) -> None:
        """Add another person's times and changes to this one's; strongest moments of several mean nothing."""
        for emotion, seconds in other.seconds.items():
            self.seconds[emotion] += seconds
        self.changes += other.changes
        self.probabilities.merge(other.probabilities)
        self.shown.merge(other.shown)

    def sum_up(self) -> None:
        """Merge all bins of the timelines into one."""
        self.probabilities.sum_up()
        self.shown.sum_up()

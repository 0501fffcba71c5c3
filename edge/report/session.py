"""Sum up what was seen: for each person, time by emotion, changes, strongest moments and a timeline.

Memory is bounded however long a session lasts: timelines keep their number of bins and double their width, and the
people who were seen for the shortest time are added up as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.labels import UNCERTAIN
from edge.values import Floats

MAX_BINS = 1024  # of a timeline
FIRST_BIN_S = 0.25  # width of a bin until the session fills them all
MAX_PEOPLE = 64  # with a timeline of their own
MAX_LOSSES = 256
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
    """Hold seconds by bin, [MAX_BINS, columns]; the bins of one session have the same width."""

    def __init__(self, columns: int) -> None:
        self.seconds = np.zeros((MAX_BINS, columns), dtype=np.float32)

    def add(self, start: float, stop: float, values: Floats) -> None:
        """Add `values` for each second from `start` to `stop`, both in bins."""
        first, last = int(start), min(int(stop), MAX_BINS - 1)
        for index in range(first, last + 1):
            overlap = min(stop, index + 1) - max(start, index)
            if overlap > 0:
                self.seconds[index] += overlap * values

    def halve(self) -> None:
        """Merge pairs of bins: the width has doubled."""
        merged = self.seconds[0::2] + self.seconds[1::2]
        self.seconds[: MAX_BINS // 2] = merged
        self.seconds[MAX_BINS // 2 :] = 0


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
        self._emotion: str | None = None

    @property
    def seen_s(self) -> float:
        return sum(self.seconds.values())

    def note(self, event: Event, face: FaceEvent) -> Peak | None:
        """Count a change and keep the strongest moment; return that moment if it is this one."""
        self.changes += self._emotion not in (None, face.emotion)
        self._emotion = face.emotion
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
        """Add another person's times and changes to this one's; timelines and peaks of several people mean nothing."""
        for emotion, seconds in other.seconds.items():
            self.seconds[emotion] += seconds
        self.changes += other.changes


@dataclass
class Session:
    """Sum up one run. Times are in seconds, from the first event on."""

    labels: tuple[str, ...]
    people: dict[int, Person] = field(default_factory=dict)
    others: Person | None = None  # everybody beyond MAX_PEOPLE
    others_count: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)  # of the camera: start, stop
    lost_s: float = 0.0
    frames: int = 0
    start_s: float | None = None
    stop_s: float = 0.0
    bin_s: float = FIRST_BIN_S
    _last: Event | None = None

    @property
    def duration_s(self) -> float:
        return self.stop_s - (self.start_s or 0.0)

    def add(self, event: Event) -> list[tuple[FaceEvent, Peak]]:
        """Add the next event; return the faces in it that are their person's strongest moment so far, for pictures."""
        if self.start_s is None:
            self.start_s = event.time_s
        if self._last is not None:
            self._pass_time(self._last, event.time_s)
        self._last = event
        self.stop_s = event.time_s
        self.frames += event.error is None
        peaks = []
        for face in event.faces:
            peak = self._person(face.id).note(event, face)
            if peak is not None:
                peaks.append((face, peak))
        return peaks

    def by_time(self) -> list[Person]:
        """Return the people, those who were seen longest first."""
        return sorted(self.people.values(), key=lambda person: -person.seen_s)

    def _person(self, id_: int) -> Person:
        if id_ not in self.people:
            self.people[id_] = Person(f"Face {id_}", self.labels)
            if len(self.people) > MAX_PEOPLE:
                self._merge_one(keep=id_)
        return self.people[id_]

    def _merge_one(self, keep: int) -> None:
        """Add the person who was seen for the shortest time, and is not there now, to the others."""
        present = {keep, *(face.id for face in self._last.faces)} if self._last else {keep}
        candidates = [id_ for id_ in self.people if id_ not in present] or [id_ for id_ in self.people if id_ != keep]
        shortest = min(candidates, key=lambda id_: self.people[id_].seen_s)
        if self.others is None:
            self.others = Person("Others", self.labels)
        self.others.merge(self.people.pop(shortest))
        self.others_count += 1

    def _pass_time(self, event: Event, until_s: float) -> None:
        """Let the faces, or the loss of the camera, of `event` last until the next one."""
        start, stop = event.time_s - (self.start_s or 0.0), until_s - (self.start_s or 0.0)
        while stop > MAX_BINS * self.bin_s:
            self.bin_s *= 2
            for person in self.people.values():
                person.halve()
        if event.error is not None:
            self._lose(start, stop)
        for face in event.faces:
            if face.id in self.people:
                self.people[face.id].add(face, start, stop, self.bin_s)

    def _lose(self, start: float, stop: float) -> None:
        self.lost_s += stop - start
        if self.losses and start - self.losses[-1][1] < 1e-6:
            self.losses[-1] = (self.losses[-1][0], stop)
        elif len(self.losses) < MAX_LOSSES:
            self.losses.append((start, stop))


class Sessions:
    """Split events into sessions: a new one begins where the time starts again, as in a file that was appended to."""

    def __init__(self) -> None:
        self.all: list[Session] = []
        self._last_s = 0.0

    def add(self, event: Event, labels: Sequence[str]) -> list[tuple[FaceEvent, Peak]]:
        """Add the next event. `labels` are the model's, in its order; empty if they are not known yet."""
        if not self.all or event.time_s < self._last_s or (labels and self.all[-1].labels not in ((), tuple(labels))):
            self.all.append(Session(tuple(labels)))
        session = self.all[-1]
        if labels and not session.labels:  # nobody was there until now
            session.labels = tuple(labels)
        self._last_s = event.time_s
        return session.add(event)

"""Sum up runs: the people that were seen, and when the camera was lost.

Memory is bounded however long a file is. Timelines keep their number of bins and double their width. The people who
were seen for the shortest time are added up as one, and so are those of earlier sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from edge.report.person import MAX_BINS, Event, FaceEvent, Peak, Person

FIRST_BIN_S = 0.25  # width of a timeline's bin until the session fills them all
MAX_PEOPLE = 64  # with a timeline of their own
MAX_OTHERS = 1024  # ids that are remembered, so that nobody is counted twice
MAX_LOSSES = 256  # that are drawn
MAX_WHOLE = 10  # sessions with timelines, the latest ones
MAX_SESSIONS = 500  # with a row of their own


@dataclass
class Session:
    """Sum up one run. Times are in seconds, from the first event on."""

    labels: tuple[str, ...]
    number: int = 1  # of the file's sessions
    people: dict[int, Person] = field(default_factory=dict)
    others: Person | None = None  # everybody who has no timeline; their times are added up
    others_count: int = 0
    losses: list[tuple[float, float]] = field(default_factory=list)  # of the camera: start, stop
    loss_count: int = 0
    lost_s: float = 0.0
    start_s: float | None = None
    first_frame: int = 0
    stop_s: float = 0.0
    bin_s: float = FIRST_BIN_S
    is_whole: bool = True  # False: summed up
    _last: Event | None = None
    _others_emotions: dict[int, str] = field(default_factory=dict)  # by id, as it was shown last; the newest at the end

    @property
    def duration_s(self) -> float:
        return self.stop_s - (self.start_s or 0.0)

    @property
    def faces(self) -> int:
        return len(self.people) + self.others_count

    def add(self, event: Event) -> list[tuple[FaceEvent, Peak]]:
        """Add the next event; return the faces in it that are their person's strongest moment so far, for pictures."""
        if self.start_s is None:
            self.start_s, self.first_frame = event.time_s, event.frame
        if self._last is not None:
            self._pass_time(self._last, event.time_s)
        if event.error is not None and (self._last is None or self._last.error is None):
            self._begin_loss(event.time_s - self.start_s)
        self._last = event
        self.stop_s = event.time_s
        present = {face.id for face in event.faces}
        peaks = []
        for face in event.faces:
            if not self._has_timeline(face.id, present):
                self._note_other(face)
            elif peak := self.people[face.id].note(event, face):
                peaks.append((face, peak))
        while len(self._others_emotions) > max(MAX_OTHERS, len(present)):
            del self._others_emotions[next(iter(self._others_emotions))]
        return peaks

    def by_time(self) -> list[Person]:
        """Return the people, those who were seen longest first, and the others."""
        people = sorted(self.people.values(), key=lambda person: -person.seen_s)
        return [*people, self.others] if self.others else people

    def sum_up(self) -> None:
        """Add up everybody, and give the memory of the timelines back."""
        for id_ in list(self.people):
            self._move_to_others(id_)
        others = self._others()
        others.name = "All faces"
        others.sum_up()
        self.bin_s = max(self.duration_s, FIRST_BIN_S)
        self.losses = []
        self._last = None
        self._others_emotions = {}
        self.is_whole = False

    def add_totals(self, other: Session) -> None:
        """Add another session's totals to this one's."""
        self.stop_s += other.duration_s
        self.others_count += other.faces
        self.loss_count += other.loss_count
        self.lost_s += other.lost_s

    def _has_timeline(self, id_: int, present: set[int]) -> bool:
        """Return whether this face has a timeline; a new one gets that of a face that is absent, if there is none."""
        if id_ in self.people or id_ in self._others_emotions:
            return id_ in self.people
        if len(self.people) >= MAX_PEOPLE:
            absent = self.people.keys() - present
            if not absent:
                self.others_count += 1
                return False
            self._move_to_others(min(absent, key=lambda absent_id: self.people[absent_id].seen_s))
        self.people[id_] = Person(f"Face {id_}", self.labels)
        return True

    def _others(self) -> Person:
        if self.others is None:
            self.others = Person("Others", self.labels)
        return self.others

    def _move_to_others(self, id_: int) -> None:
        person = self.people.pop(id_)
        self._others().merge(person)
        self.others_count += 1
        if person.emotion is not None:
            self._others_emotions[id_] = person.emotion

    def _note_other(self, face: FaceEvent) -> None:
        self._others().changes += self._others_emotions.pop(face.id, face.emotion) != face.emotion
        self._others_emotions[face.id] = face.emotion

    def _pass_time(self, event: Event, until_s: float) -> None:
        """Let the faces, or the loss of the camera, of `event` last until the next one."""
        start, stop = event.time_s - (self.start_s or 0.0), until_s - (self.start_s or 0.0)
        while stop > MAX_BINS * self.bin_s:
            self.bin_s *= 2
            for person in self.by_time():
                person.halve()
        if event.error is not None:
            self.lost_s += stop - start
            self.losses[-1] = (self.losses[-1][0], stop)
        for face in event.faces:
            (self.people.get(face.id) or self._others()).add(face, start, stop, self.bin_s)

    def _begin_loss(self, start: float) -> None:
        self.loss_count += 1
        self.losses.append((start, start))
        if len(self.losses) > MAX_LOSSES:
            gaps = [after[0] - before[1] for before, after in pairwise(self.losses)]
            closest = gaps.index(min(gaps))
            self.losses[closest : closest + 2] = [(self.losses[closest][0], self.losses[closest + 1][1])]


class Sessions:
    """Split events into sessions: a new one begins where the time starts again, as in a file that was appended to.

    The latest are kept whole. Those before are summed up, the earliest in their totals alone.
    """

    def __init__(self) -> None:
        self.all: list[Session] = []
        self.earliest = Session(())  # totals of those that are not in the list
        self.count = 0
        self.overlaps = 0  # times that step back into the middle of the session before: several sources in one file
        self._last_s = 0.0

    @property
    def labels(self) -> list[str]:
        """Return the labels of all sessions."""
        return list(dict.fromkeys(label for session in self.all for label in session.labels))

    def add(self, event: Event, labels: Sequence[str]) -> list[tuple[FaceEvent, Peak]]:
        """Add the next event. `labels` are the model's, in its order; empty if they are not known yet."""
        if self._is_new(event, tuple(labels)):
            self._begin(tuple(labels))
        session = self.all[-1]
        if labels and not session.labels:  # nobody was there until now
            session.labels = tuple(labels)
        self._last_s = event.time_s
        return session.add(event)

    def _is_new(self, event: Event, labels: tuple[str, ...]) -> bool:
        if not self.all:
            return True
        session = self.all[-1]
        if event.time_s < self._last_s:
            self.overlaps += event.time_s > (session.start_s or 0.0) and event.frame > session.first_frame
            return True
        return bool(labels) and session.labels not in ((), labels)

    def _begin(self, labels: tuple[str, ...]) -> None:
        self.count += 1
        self.all.append(Session(labels, self.count))
        if len(self.all) > MAX_WHOLE:
            self.all[-MAX_WHOLE - 1].sum_up()
        if len(self.all) > MAX_SESSIONS:
            self.earliest.add_totals(self.all.pop(0))

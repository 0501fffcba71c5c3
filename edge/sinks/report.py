"""Write a report of what was seen when the run ends: a page or a table (see edge.report)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import UsageError
from edge.files import check_writable
from edge.report.page import check_report, write_report
from edge.report.person import Event, FaceEvent
from edge.report.pictures import face_picture
from edge.report.session import Sessions
from edge.sinks.base import Sink, SinkContext
from edge.values import Frame, Reading


class Report(Sink):
    """Sum up all readings; write the page or table at the end, also after an error, if a frame was read."""

    option = "--report"

    def __init__(self, target: str, context: SinkContext) -> None:
        self.name = target
        self._path = Path(target)
        self._labels = context.labels
        self._sessions = Sessions()
        if context.independent:
            raise UsageError(f"expected a video or camera for {self.option}, found pictures, which have no time")
        check_report(self.option, self._path)
        check_writable(self._path)

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        event = Event(frame.index, frame.time_s, [_face(reading) for reading in readings], frame.error)
        for face, peak in self._sessions.add(event, self._labels):
            peak.picture = self._picture(frame, face)

    def _picture(self, frame: Frame, face: FaceEvent) -> bytes | None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None or self._sessions.count:  # else nothing was seen: an earlier report stays
            write_report(self._path, self._path.stem, self._sessions)


class ReportWithPictures(Report):
    """Show the face in each strongest moment, as it is drawn."""

    option = "--report-pictures"
    needs_picture = True

    def _picture(self, frame: Frame, face: FaceEvent) -> bytes | None:
        return face_picture(frame.image, face.box)


def _face(reading: Reading) -> FaceEvent:
    box = reading.face.box
    return FaceEvent(reading.id, (box.x, box.y, box.width, box.height), reading.emotion, reading.probabilities)

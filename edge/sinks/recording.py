"""Record in the form that fits the source."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from edge.sinks.base import Sink, SinkContext
from edge.sinks.pictures import PictureFolder
from edge.sinks.video import VideoFile
from edge.values import Frame, Reading


class Recording(Sink):
    """Record a video or, if the source is pictures, a folder of pictures."""

    needs_picture = True

    def __init__(self, target: str, context: SinkContext) -> None:
        self._sink: Sink = PictureFolder(target, context) if context.independent else VideoFile(target, context)
        self.name = self._sink.name

    def __enter__(self) -> Recording:
        self._sink.__enter__()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        self._sink.write(frame, readings)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sink.__exit__(kind, error, at)

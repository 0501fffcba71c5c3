"""Choose the frames that get a line: those in which something changed, one every few seconds, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.values import Frame, Reading


@dataclass(frozen=True)
class Thinning:
    """Hold what `--every` and `--on-change` ask for; by default, every frame is kept."""

    every_s: float | None = None
    on_change: bool = False

    def filter(self) -> FrameFilter:
        return FrameFilter(self)


EVERY_FRAME = Thinning()


class FrameFilter:
    """Keep the frames that a Thinning asks for, the first one and pictures always.

    A change is a face that appears, vanishes or shows another emotion, and a camera that is lost or back. With both
    options, a frame is kept for either reason. The caller writes the last frame in any case (see edge.sinks.events).
    """

    def __init__(self, thinning: Thinning) -> None:
        self._thinning = thinning
        self._state: object = None
        self._kept_s: float | None = None

    def keeps(self, frame: Frame, readings: Sequence[Reading]) -> bool:
        """Return whether to keep this frame; to be called once for each frame, in their order."""
        every_s = self._thinning.every_s
        if frame.name is not None or (every_s is None and not self._thinning.on_change):
            return True
        state = (frame.error, {reading.id: reading.emotion for reading in readings})
        changed = self._thinning.on_change and state != self._state
        due = self._kept_s is None or (every_s is not None and frame.time_s - self._kept_s >= every_s)
        self._state = state
        if changed or due:
            self._kept_s = frame.time_s
        return changed or due

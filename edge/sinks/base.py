"""Define the protocol of an output, and the description of the run that it gets."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeAlias

from edge.errors import EmotionError
from edge.sinks.thinning import EVERY_FRAME, Thinning
from edge.stopping import Stop
from edge.values import Frame, Image, Reading

ReadPicture: TypeAlias = Callable[[Image], Sequence[Reading]]  # uint8 [height, width, 3] BGR; see EmotionReader.read


class Delivery(enum.Enum):
    """Choose how frames reach a sink."""

    EVERY_FRAME = "every frame"  # in order, by a thread; a camera's oldest are dropped and counted if the sink is slow
    NEWEST = "newest"  # by a thread; frames that the sink has no time for are replaced by newer ones
    MAIN_THREAD = "main thread"  # by the loop itself, which waits: OpenCV's windows work in no other thread


@dataclass(frozen=True)
class SinkContext:
    """Describe the run to a sink."""

    labels: tuple[str, ...]  # of the model, in the order of its outputs
    fps: float  # of the recording; nominal for live sources
    live: bool  # a camera or stream, which does not wait for slow sinks
    independent: bool  # the source is pictures; Frame.name is a picture's file name
    stop: Stop  # set it to end the run
    calibrate: Callable[[], None] = lambda: None  # starts the countdown of a neutral face
    open_reader: Callable[[], ReadPicture] | None = None  # opens a reader of single pictures, apart from the loop's
    skip: Callable[[EmotionError], None] = lambda _: None  # reports and counts a picture that cannot be recorded
    hides_faces: bool = False  # in every picture; see edge.blur
    thinning: Thinning = EVERY_FRAME  # of the events: --every, --on-change
    page: str | None = None  # the address of --serve
    kept_bytes: int = 0  # of the events file of an earlier run, which is continued


class Sink(Protocol):
    """Write frames and readings somewhere.

    Subclass it and override what differs. The constructor takes `(target: str, context: SinkContext)`, where the target
    is the option's value; it checks both and writes nothing. `__enter__` opens the target. Raise UsageError or
    OutputError.
    """

    name: str  # of the target, for messages
    needs_picture: bool = False  # frames come with the readings drawn in; else they may come without pixels
    delivery: Delivery = Delivery.EVERY_FRAME
    is_watched: bool = False  # by a person: recordings are played at their own speed, and the demo is repeated
    dropped: int = 0  # frames lost because the sink was too slow

    def __enter__(self) -> Sink:
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Write one frame. While a camera is lost, `frame.error` is set and there are no readings."""
        ...

    def poll(self) -> None:
        """Serve events in the main thread; called ten times a second while a camera gives no frame."""
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return

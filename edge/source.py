"""Open a source of frames by its name, and pace a recording for a viewer.

Recordings (video, pictures, demo) give every frame, in order, the same each time. Live sources (camera, stream) give
the newest frame: a thread reads them into a one-slot mailbox and drops older frames, so that latency cannot grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from edge.errors import SourceError, UsageError
from edge.sources.archive import Archive
from edge.sources.base import CameraSettings, Capture, Device, Source
from edge.sources.camera import Camera
from edge.sources.demo import Demo
from edge.sources.live import Absent, Live
from edge.sources.motion_jpeg import HttpStream
from edge.sources.picamera2 import PiCamera
from edge.sources.pictures import Pictures
from edge.sources.playback import Playback
from edge.sources.stream import Stream
from edge.sources.video import Video
from edge.values import Frame

# The first class that accepts the text opens it.
DEVICES: tuple[type[Device], ...] = (PiCamera, Camera, HttpStream, Stream)
RECORDINGS: tuple[type[Source], ...] = (Demo, Archive, Pictures, Video)
NO_SETTINGS = CameraSettings()
IDLE_S = 0.1  # a time-lapse has seconds between two frames, in which a window must serve its keys


def open_source(
    text: str,
    endless_demo: bool = False,
    realtime: bool = False,
    settings: CameraSettings = NO_SETTINGS,
    wait_s: float | None = None,
) -> Source:
    """Open demo, picamera, a camera's number or /dev/videoN, a URL, a video, a picture, a folder or a glob pattern.

    `realtime` plays a recording like a camera. A camera or stream that is absent is waited for, up to `wait_s` seconds,
    like one that was lost; by default it is an error. Raises SourceError if there is no such source, UsageError if an
    option does not apply to it.
    """
    text = _unquoted(text)
    device = next((device for device in DEVICES if device.accepts(text)), None)
    _check_settings(text, settings, device.supported_settings if device else ())
    if wait_s is not None and device is None:
        raise UsageError(f"expected a camera or a stream with --wait, found {text}; leave it out")
    file = None
    if device:
        open_device = partial(device, text, settings)
        try:
            opened = open_device()  # in the main thread: there macOS asks for permission
            file = opened.file if isinstance(opened, HttpStream) else None
            if not file:
                return Live(text, _once(opened, open_device), may_be_still=device.may_be_still)
        except SourceError as error:
            if wait_s is None:
                raise
            return Live(text, open_device, may_be_still=device.may_be_still, absent=Absent(error, wait_s))
    recording = Video(text, file) if file else _open_recording(text)
    if isinstance(recording, Demo):
        recording.endless = endless_demo
    if not realtime:
        return recording
    if recording.independent:
        raise UsageError(f"expected a video for --realtime, found pictures ({text}); leave it out")
    return Live(text, lambda: Playback(recording), finite=True)


def _unquoted(text: str) -> str:
    """Return the text without its single quotes, which cmd.exe, unlike other shells, passes on."""
    quoted = len(text) > 2 and text[0] == text[-1] == "'" and not Path(text).exists()
    return text[1:-1] if quoted else text


def _once(opened: Capture, open_again: Callable[[], Capture]) -> Callable[[], Capture]:
    """Return a function that gives the open device at its first call, and opens it again at the others."""
    captures = chain([opened], iter(open_again, None))
    return lambda: next(captures)


def _check_settings(text: str, settings: CameraSettings, supported: tuple[str, ...]) -> None:
    """Raise UsageError if the source does not support a requested setting."""
    unsupported = [f"--{name}" for name in settings.requested() if name not in supported]
    if unsupported:
        raise UsageError(f"expected a camera that supports {' and '.join(unsupported)}, found {text}; leave it out")


def _open_recording(text: str) -> Source:
    for recording in RECORDINGS:
        if recording.accepts(text):
            return recording(text)
    if Path(text).exists():
        raise SourceError(f"expected a file or a folder, found {text}, which is neither")
    raise SourceError(
        f"no source {text!r}; expected demo, picamera, a camera's number, a URL, a video, a picture, a folder or a"
        " quoted 'folder/*.jpg'"
    )


def paced(source: Source, frames: Iterable[Frame] | None = None) -> Iterator[Frame]:
    """Yield the frames of a recording at its own speed, for a viewer; those of other sources as they come.

    `frames` are those of the source where they come another way.
    """
    frames = source if frames is None else frames
    if source.live or source.independent:
        yield from frames
        return
    start_s = time.monotonic()
    for frame in frames:
        while (wait_s := start_s + frame.time_s - time.monotonic()) > 0 and not source.stop.wait(min(wait_s, IDLE_S)):
            if source.idle:
                source.idle()
        yield replace(frame, captured_s=time.monotonic())  # as if a camera had captured it now

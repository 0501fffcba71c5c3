"""Where frames come from: `open_source(text)` -> an iterable of Frame that must be closed.

Recorded sources (video, pictures, demo) give every frame, in order, the same each time. Live sources (camera, stream)
give the newest frame: a thread reads them into a one-slot mailbox, older frames are dropped and counted, so that lag
cannot grow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from glob import glob
from pathlib import Path

from edge.errors import SourceError, UsageError
from edge.sources.base import Source
from edge.sources.capture import CameraSettings, OpenCVCapture, PiCapture, Playback
from edge.sources.live import Live
from edge.sources.recorded import PICTURES, Demo, Pictures, Video
from edge.values import Frame

STREAM = r"(rtsp|rtsps|http|https|rtmp|udp|tcp)://"
CAMERA = r"(?:/dev/video)?(\d{1,3})"
NOTHING_ASKED = CameraSettings()


def open_source(
    text: str, endless_demo: bool = False, realtime: bool = False, settings: CameraSettings = NOTHING_ASKED
) -> Source:
    """demo, picamera, a camera's number or /dev/videoN, a stream's URL, a video, a picture, a folder or glob of them.

    `realtime` plays a recording as a camera would. Raises SourceError where there is nothing of that kind, UsageError
    where it has no use for what is asked.
    """
    camera = _webcam(text) is not None
    if settings != NOTHING_ASKED and not camera and text != "picamera":
        raise UsageError(f"expected a camera for --resolution, --fps and --fourcc, found {text}; leave them out")
    if text == "picamera":
        if settings.fourcc:
            raise UsageError("--fourcc is for a webcam; the Pi's camera has no use for it: leave it out")
        return Live(text, lambda: PiCapture(settings))
    if camera:
        return Live(text, lambda: _open_webcam(text, settings))
    if re.match(STREAM, text):
        return Live(text, lambda: OpenCVCapture(text, settings), may_be_still=True)
    recorded = Demo(endless_demo) if text == "demo" else _open_path(text)
    if not realtime:
        return recorded
    if recorded.independent:
        raise UsageError(f"expected a video for --realtime, found pictures ({text}); leave it out")
    return Live(text, lambda: Playback(recorded), ends=True)


def _webcam(text: str) -> int | None:
    """The number of a webcam, also by a link such as those in /dev/v4l/by-id."""
    found = re.fullmatch(CAMERA, str(Path(text).resolve()) if text.startswith("/dev/") else text)
    return int(found[1]) if found else None


def _open_webcam(text: str, settings: CameraSettings) -> OpenCVCapture:
    number = _webcam(text)  # asked anew: a camera that is plugged in again may have another number, under the same link
    if number is None:
        raise SourceError(f"camera {text} is not there")
    return OpenCVCapture(number, settings)


def _open_path(text: str) -> Source:
    path = Path(text)
    if path.is_dir():
        return Pictures(text, list(path.iterdir()))
    if not path.exists() and any(sign in text for sign in "*?["):
        return Pictures(text, [Path(found) for found in glob(text, recursive=True)])  # noqa: PTH207 (an absolute one too)
    if not path.exists():
        raise SourceError(
            f"no source {text!r}; expected demo, picamera, a camera's number, a URL, a video, a picture, a folder or a"
            " quoted 'folder/*.jpg'"
        )
    if not path.is_file():
        raise SourceError(f"expected a file or a folder, found {path}, which is neither")
    return Pictures(text, [path]) if path.suffix.lower() in PICTURES else Video(path)


def paced(source: Source) -> Iterator[Frame]:
    """A recorded source at its own speed, as a person watches it; live sources have theirs, pictures have none."""
    if source.live or source.independent:
        yield from source
        return
    start = time.monotonic()
    for frame in source:
        time.sleep(max(0.0, start + frame.time_s - time.monotonic()))
        yield replace(frame, captured_s=time.monotonic())  # as if the camera had given it now

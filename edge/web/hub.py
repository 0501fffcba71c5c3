"""Hand the newest frame from the loop's side to the viewers, and remember the last minutes.

The sink's thread publishes, the server's event loop waits. A viewer that is late skips to the newest frame. A picture
is encoded once for all viewers, and only while somebody watches. All of this gets a share of one core, measured: with
many viewers, each sees fewer frames, and the loop keeps its rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from edge.meter import Meter
from edge.opencv import cv2
from edge.picture import encode_picture
from edge.sinks.events import event
from edge.values import Frame, Reading

JPEG_QUALITY = 80
MAX_SIDE = 1920  # pixels of a picture's longer side: more is slow to encode and to send
HISTORY_S = 180
SAMPLE_S = 1.0  # between two entries of the history
MAX_SAMPLED_FACES = 8
HEARTBEAT_S = 1.0  # after which waiting viewers look around even without a new frame
SHARE = 0.2  # of one core, for encoding and sending
MIN_TURN_S = 1 / 60  # from one frame that is sent to the next
MAX_TURN_S = 1.0
BOUNDARY = "frame"  # between the pictures of a stream


class Shot:
    """Hold one frame with its readings, and encode both at their first use."""

    def __init__(self, number: int, frame: Frame, state: dict[str, Any]) -> None:
        self.number = number
        self.frame = frame
        self.state = state
        self.published_s = time.monotonic()

    @cached_property
    def jpeg(self) -> bytes:
        """Return the picture as JPEG."""
        image = self.frame.image
        height, width = image.shape[:2]
        scale = MAX_SIDE / max(height, width)
        if scale < 1:
            size = (max(1, round(scale * width)), max(1, round(scale * height)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return encode_picture(image, ".jpg", JPEG_QUALITY)

    @cached_property
    def part(self) -> bytes:
        """Return the picture as a part of a stream. Browsers show it as soon as the boundary behind it arrives."""
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(self.jpeg)}\r\n\r\n"
        return b"".join((head.encode(), self.jpeg, f"\r\n--{BOUNDARY}\r\n".encode()))

    def encode(self) -> float:
        """Encode the picture, if it is not, and return the seconds of processor time that this took."""
        start_s = time.thread_time()
        _ = self.part
        return time.thread_time() - start_s

    @cached_property
    def text(self) -> str:
        """Return the state as JSON."""
        return json.dumps(self.state)


class Hub:
    """Keep the newest shot, the counts of the run and the history, and wake the viewers."""

    def __init__(self) -> None:
        self.newest: Shot | None = None
        self.closed = False
        self.frames = 0
        self.outages = 0
        self.readings: Counter[str] = Counter()  # by label
        self.viewers: Counter[str] = Counter()  # by kind of stream
        self._meter = Meter()
        self._history: deque[tuple[float, dict[str, Any]]] = deque(maxlen=round(HISTORY_S / SAMPLE_S))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._published = asyncio.Event()  # tells `run` of a new frame
        self._changed = asyncio.Event()  # tells the viewers; a new one for each frame

    def publish(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Make a frame the newest one. To be called by one thread."""
        last = self.newest
        self.outages += bool(frame.error) and not (last and last.frame.error)
        if not frame.error:
            self.frames += 1
            self.readings.update(reading.emotion for reading in readings)
            self._meter.frame()
        shot = Shot(last.number + 1 if last else 0, frame, self._state(frame, readings))
        self.newest = shot
        self._remember(shot)
        self._tell()

    def _state(self, frame: Frame, readings: Sequence[Reading]) -> dict[str, Any]:
        """Return the event of the frame with the state of the camera, the rate, and the frame's age in ms."""
        height, width = frame.image.shape[:2]
        return {
            **event(frame, readings),
            "camera": "lost" if frame.error else "live",
            "fps": 0.0 if frame.error else round(self._meter.fps_now, 1),
            "age_ms": round(1000 * (time.monotonic() - frame.captured_s), 1),
            "picture": [width, height],
        }

    def _remember(self, shot: Shot) -> None:
        if self._history and shot.published_s - self._history[-1][0] < SAMPLE_S:
            return
        faces = [[face["id"], face["emotion"], face["confidence"]] for face in shot.state["faces"]]
        self._history.append((shot.published_s, {"camera": shot.state["camera"], "faces": faces[:MAX_SAMPLED_FACES]}))

    def history(self) -> list[dict[str, Any]]:
        """Return one entry a second, oldest first: seconds ago, the camera's state, and id, label and confidence."""
        now_s = time.monotonic()
        return [{"ago": round(now_s - time_s, 1), **sample} for time_s, sample in list(self._history)]

    @property
    def silence_s(self) -> float | None:
        """Return the seconds since the newest frame, None before the first one."""
        return None if self.newest is None else time.monotonic() - self.newest.published_s

    @contextlib.contextmanager
    def viewing(self, kind: str) -> Iterator[None]:
        """Count a viewer of a stream."""
        self.viewers[kind] += 1
        try:
            yield
        finally:
            self.viewers[kind] -= 1

    async def run(self) -> None:
        """Wake the viewers for new frames, and every HEARTBEAT_S without one, until the hub is closed."""
        self._loop = asyncio.get_running_loop()
        while not self.closed:
            turn_s = time.monotonic()
            turn_cpu_s = time.thread_time()
            self._published.clear()
            encoding_s = 0.0
            if self.newest and self.viewers["stream"]:
                encoding_s = await asyncio.to_thread(self.newest.encode)
            self._wake_viewers()
            rest_s = MIN_TURN_S
            while rest_s > 0 and not self.closed:  # the viewers' work shows only while they do it
                await asyncio.sleep(rest_s)
                spent_s = time.thread_time() - turn_cpu_s + encoding_s
                rest_s = min(MAX_TURN_S, spent_s / SHARE) - (time.monotonic() - turn_s)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._published.wait(), HEARTBEAT_S)
        self._wake_viewers()

    async def change(self) -> None:
        """Wait for a new frame, at most HEARTBEAT_S."""
        await self._changed.wait()

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self._tell()

    def _tell(self) -> None:
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the event loop has ended
                self._loop.call_soon_threadsafe(self._published.set)

    def _wake_viewers(self) -> None:
        changed = self._changed
        self._changed = asyncio.Event()
        changed.set()

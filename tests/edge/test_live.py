"""Test live sources: the newest frame wins, and a lost camera is noticed, reported and reopened."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from edge.errors import SourceError
from edge.opencv import cv2
from edge.source import open_source
from edge.sources import health, live, outage
from edge.sources.live import Live
from edge.values import Frame


def picture(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, dtype=np.uint8)


class FakeDriver:
    """Open fake cameras. Each opening gives the pictures of the next script, and fails after the last script.

    After its pictures, a camera ends or, with `blocks`, blocks until `unblock` is set.
    """

    def __init__(self, *scripts: list[np.ndarray], blocks: bool = False) -> None:
        self.scripts = list(scripts)
        self.blocks = blocks
        self.opening_times: list[float] = []
        self.all_read = threading.Event()
        self.unblock = threading.Event()

    def open(self) -> FakeCamera:
        self.opening_times.append(time.monotonic())
        if not self.scripts:
            raise SourceError("cannot open camera 0")
        return FakeCamera(self, self.scripts.pop(0))


class FakeCamera:
    fps = 30.0
    notice = None

    def __init__(self, driver: FakeDriver, script: list[np.ndarray]) -> None:
        self.driver = driver
        self.script = iter(script)

    def read(self) -> np.ndarray | None:
        image = next(self.script, None)
        if image is None:
            self.driver.all_read.set()
            if self.driver.blocks:
                self.driver.unblock.wait(20)
        return image

    def release(self) -> None:
        pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every timeout to a hundredth."""
    names = {
        health: ("STALLED_S", "FROZEN_S"),
        live: ("REOPEN_TIMEOUT_S", "POLL_INTERVAL_S", "RELEASE_TIMEOUT_S"),
        outage: ("REPORT_INTERVAL_S", "MIN_BACKOFF_S", "MAX_BACKOFF_S"),
    }
    for module in names:
        for name in names[module]:
            monkeypatch.setattr(module, name, getattr(module, name) / 100)


def read_until(source: Live, is_enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    """Return the frames of a source up to the first one that is enough; fail after 10 s."""
    frames: list[Frame] = []
    deadline = time.monotonic() + 10
    for frame in source:
        frames.append(frame)
        if is_enough(frames):
            return frames
        assert time.monotonic() < deadline
    raise AssertionError("the source ended")


def test_newest_frame_wins_and_dropped_frames_are_counted() -> None:
    driver = FakeDriver([picture(value) for value in range(50)], blocks=True)
    source = Live("0", driver.open)
    assert driver.all_read.wait(5)
    frames = read_until(source, lambda frames: frames[-1].image[0, 0, 0] == 49)
    assert len(frames) <= 2  # the first was read when the camera was opened
    assert frames[-1].index == 49
    assert len(frames) + source.dropped == 50
    driver.unblock.set()
    source.close()
    assert not source._thread.is_alive()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("blocks", "stalled_s", "error"),
    [
        (False, 60.0, "camera lost: unplugged or ended, reopening"),
        (True, 0.02, r"camera lost: no frame for \d+ s, reopening"),
    ],
    ids=["ends", "blocks"],
)
def test_lost_camera_is_reported_and_reopened(
    monkeypatch: pytest.MonkeyPatch, blocks: bool, stalled_s: float, error: str
) -> None:
    monkeypatch.setattr(health, "STALLED_S", stalled_s)
    driver = FakeDriver([picture(1)], [picture(2)], blocks=blocks)
    source = Live("0", driver.open)
    frames = read_until(source, lambda frames: frames[-1].image[0, 0, 0] == 2)
    first, *lost, last = frames
    assert first.error is None
    assert last.error is None
    assert lost
    assert all(re.fullmatch(error, str(frame.error)) for frame in lost)
    assert all((frame.image == first.image).all() for frame in lost)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.time_s for frame in frames] == sorted(frame.time_s for frame in frames)
    assert source.stats()["lost"]["times"] == 1
    start_s = time.monotonic()
    source.close()
    assert time.monotonic() - start_s < 2, "close() waited for the blocked thread"
    driver.unblock.set()


@pytest.mark.usefixtures("quick")
def test_lost_camera_is_reopened_with_exponential_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "MIN_BACKOFF_S", 0.02)
    monkeypatch.setattr(outage, "MAX_BACKOFF_S", 0.16)
    driver = FakeDriver([picture(1)])
    read_until(Live("0", driver.open), lambda _: len(driver.opening_times) >= 7)
    assert driver.opening_times[6] - driver.opening_times[0] >= 0.02 + 0.04 + 0.08 + 3 * 0.16


@pytest.mark.usefixtures("quick")
def test_blocked_threads_are_limited_and_the_camera_returns_with_its_driver() -> None:
    limit = 1 + live.MAX_BLOCKED_THREADS
    driver = FakeDriver(*([picture(value)] for value in range(100)), blocks=True)
    source = Live("0", driver.open)
    read_until(source, lambda _: len(driver.opening_times) == limit)
    read_until(source, lambda frames: frames[-1].time_s - frames[0].time_s > 2 * outage.MAX_BACKOFF_S)
    assert len(driver.opening_times) == limit
    driver.unblock.set()
    read_until(source, lambda frames: frames[-1].image[0, 0, 0] == limit)
    assert len(driver.opening_times) > limit
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_driver_that_blocks_while_it_opens_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "OPEN_TIMEOUT_S", 0.1)
    driver = FakeDriver([picture(1)], *([picture(2)] for _ in range(50)))
    blocked = threading.Event()

    def open_capture() -> FakeCamera:
        if len(driver.opening_times) == 1 and not blocked.is_set():
            blocked.set()
            driver.unblock.wait(20)
        return driver.open()

    source = Live("0", open_capture)
    frames = read_until(source, lambda frames: frames[-1].image[0, 0, 0] == 2)
    assert blocked.is_set()
    assert frames[-1].error is None
    source.close()
    driver.unblock.set()


class MjpegHandler(BaseHTTPRequestHandler):
    """Serve sixty pictures over HTTP; they get brighter by one grey level each, over all requests."""

    requests = 0

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        type(self).requests += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with contextlib.suppress(OSError):
            for i in range(60):
                image = np.full((48, 64, 3), 60 * self.requests + i, dtype=np.uint8)
                jpeg = cv2.imencode(".jpg", image)[1].tobytes()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")


@pytest.fixture
def mjpeg_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(MjpegHandler, "requests", 0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), MjpegHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("quick")
def test_stream_that_goes_down_is_reopened(monkeypatch: pytest.MonkeyPatch, mjpeg_url: str) -> None:
    monkeypatch.setattr(live, "REOPEN_TIMEOUT_S", 5.0)
    monkeypatch.setattr(health, "STALLED_S", 5.0)
    with open_source(mjpeg_url) as source:
        frames = read_until(source, lambda frames: frames[-1].image.mean() > 120)
    assert MjpegHandler.requests == 2
    assert frames[0].error is None
    assert frames[-1].error is None
    assert any(frame.error for frame in frames)
    assert source.stats()["lost"]["times"] == 1


def test_idle_is_called_while_waiting_for_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_INTERVAL_S", 0.01)
    driver = FakeDriver([picture(1)], blocks=True)
    source = Live("0", driver.open)
    source.idle = source.stop.set  # as the window does when q is pressed
    assert len(list(source)) == 1
    driver.unblock.set()


@pytest.mark.parametrize(
    ("script", "expected"),
    [([], "gives no picture"), (None, "cannot open camera 0")],
    ids=["opens without a picture", "cannot be opened"],
)
def test_camera_that_is_missing_at_the_start_is_an_error(script: list[np.ndarray] | None, expected: str) -> None:
    driver = FakeDriver() if script is None else FakeDriver(script)
    with pytest.raises(SourceError, match=expected):
        Live("0", driver.open)

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.errors import EmotionError, SourceError, UsageError
from edge.opencv import cv2
from edge.source import open_source, paced
from edge.sources import capture, health, live, recorded
from edge.sources.capture import CameraSettings
from edge.sources.health import Health
from edge.sources.live import Live
from edge.values import Frame


def picture(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, dtype=np.uint8)


class Device:
    """A scripted device: each opening takes the next script, a list of pictures; then it ends, or blocks for ever.

    The openings after the last script fail.
    """

    def __init__(self, *scripts: list[np.ndarray], blocks: bool = False) -> None:
        self.scripts, self.blocks = list(scripts), blocks
        self.openings = 0
        self.all_read, self.never = threading.Event(), threading.Event()

    def __call__(self) -> Opened:
        self.openings += 1
        if not self.scripts:
            raise SourceError("cannot open camera 0")
        return Opened(self, self.scripts.pop(0))


class Opened:
    fps = 30.0
    notice = None

    def __init__(self, device: Device, script: list[np.ndarray]) -> None:
        self.device, self.script = device, iter(script)
        self.released = threading.Event()

    def read(self) -> np.ndarray | None:
        image = next(self.script, None)
        if image is None:
            self.device.all_read.set()
            if self.device.blocks:
                self.device.never.wait(20)
        return image

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths, so that the tests need not wait."""
    for name in ("STALLED_S", "FROZEN_S"):
        monkeypatch.setattr(health, name, getattr(health, name) / 100)
    for name in ("NOTICE_S", "PATIENCE_S", "POLL_S", "RELEASE_S"):
        monkeypatch.setattr(live, name, getattr(live, name) / 100)
    monkeypatch.setattr(live, "BACKOFF_S", tuple(value / 100 for value in live.BACKOFF_S))


def until(source: Live, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    frames: list[Frame] = []
    deadline = time.monotonic() + 10
    for frame in source:
        frames.append(frame)
        if enough(frames):
            break
        assert time.monotonic() < deadline
    return frames


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    device = Device([picture(value) for value in range(50)], blocks=True)
    source = Live("0", device)
    assert device.all_read.wait(5)
    frames = until(source, lambda frames: frames[-1].image[0, 0, 0] == 49)
    assert len(frames) <= 2  # one was taken when the camera was opened
    assert frames[-1].index == 49
    assert len(frames) + source.dropped == 50
    device.never.set()
    source.close()
    assert not source._reader.alive()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("blocks", [False, True], ids=["it ends", "it blocks for ever"])
def test_a_camera_that_is_lost_is_reported_reopened_and_goes_on(blocks: bool) -> None:
    device = Device([picture(1)], [picture(2)], blocks=blocks)
    source = Live("0", device)
    frames = until(source, lambda frames: any(frame.image[0, 0, 0] == 2 for frame in frames))
    first, *lost, back = frames
    assert first.error is None
    assert lost
    assert all(frame.error in (GONE, "camera lost: no frame for 0 s, reopening") for frame in lost)
    assert (lost[0].error == GONE) == (not blocks)
    assert all((frame.image == first.image).all() for frame in lost)
    assert back.error is None
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.time_s for frame in frames] == sorted(frame.time_s for frame in frames)
    assert source.stats()["lost"]["times"] == 1
    assert source.stats()["lost"]["seconds"] == pytest.approx(back.time_s - lost[0].time_s, abs=0.1)
    start = time.monotonic()
    source.close()
    assert time.monotonic() - start < 2, "the blocked thread was waited for"
    device.never.set()


@pytest.mark.usefixtures("quick")
def test_a_camera_that_stays_away_is_tried_again_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    openings: list[float] = []
    device = Device([picture(1)])

    def opens() -> Opened:
        openings.append(time.monotonic())
        return device()

    monkeypatch.setattr(live, "BACKOFF_S", (0.02, 0.16))
    until(Live("0", opens), lambda _: len(openings) >= 7)
    gaps = np.diff(openings)
    for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.16, 0.16, 0.16), strict=False):
        assert gap > 0.9 * least  # the thread that opens may be late by a little


@pytest.mark.usefixtures("quick")
def test_threads_in_a_dead_driver_do_not_pile_up() -> None:
    device = Device(*([picture(value)] for value in range(100)), blocks=True)
    source = Live("0", device)
    until(source, lambda frames: device.openings == 1 + live.BLOCKED_READERS)
    blocked = len(until(source, lambda frames: len(frames) > 20))
    assert blocked
    assert device.openings == 1 + live.BLOCKED_READERS
    device.never.set()


class Stream(BaseHTTPRequestHandler):
    """MJPEG over HTTP: sixty pictures, the next sixty to whom comes again."""

    served = 0

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        type(self).served += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with contextlib.suppress(OSError):
            for i in range(60):
                image = np.full((48, 64, 3), 60 * self.served + i, dtype=np.uint8)
                jpeg = cv2.imencode(".jpg", image)[1].tobytes()
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")


@pytest.mark.usefixtures("quick")
def test_a_real_stream_that_goes_down_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE_S", 5.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open_source(f"http://127.0.0.1:{server.server_port}/") as source:
        frames = until(source, lambda frames: frames[-1].image.mean() > 120)
    server.shutdown()
    server.server_close()
    assert Stream.served == 2
    assert frames[0].error is None is frames[-1].error
    assert any(frame.error for frame in frames)
    assert source.stats()["lost"]["times"] == 1


def test_while_it_waits_for_a_frame_the_window_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_S", 0.01)
    device = Device([picture(1)], blocks=True)
    source = Live("0", device)
    source.idle = source.stop.set  # as q does
    assert len(list(source)) == 1
    device.never.set()


GONE = "camera lost: unplugged or ended, reopening"
HOURS = 10_000.0


@pytest.mark.parametrize(
    ("may_be_still", "values", "frozen", "why"),
    [
        (False, "aaaaaaa", True, "one picture for six seconds"),
        (False, "aaaaa", False, "not long enough"),
        (False, "abababa", False, "noise"),
        (False, "aaaaaaaRaaa", True, "the stuck driver is still stuck after it was reopened"),
        (False, "aaaaaaaRaab", False, "and now it is not"),
        (True, "aaaaaaa", True, "a stream is reopened too"),
        (True, "aaaaaaaRaaa", False, "but then it does show a still screen"),
        (True, "aaaaaaaRaabbbbbbb", True, "which may freeze again"),
    ],
)
def test_a_frozen_picture_is_told_from_a_still_scene(may_be_still: bool, values: str, frozen: bool, why: str) -> None:
    watch, now_s = Health(may_be_still), HOURS
    for value in values:
        if value == "R":
            watch.reopened()
        else:
            watch.picture(picture(ord(value)), now_s)
            now_s += 1
    assert watch.frozen() == frozen, why
    assert not watch.stalled(now_s)
    assert watch.stalled(now_s + 2)


def test_pictures_that_differ_by_one_grey_level_in_one_pixel_are_two() -> None:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    other = image.copy()
    assert health._same(image, other)
    other[479, 639, 2] = 1
    assert not health._same(image, other)


@pytest.mark.parametrize(("script", "expected"), [([], "gives no picture"), (None, "cannot open camera 0")])
def test_a_camera_that_was_never_there_is_an_error(script: list[np.ndarray] | None, expected: str) -> None:
    device = Device() if script is None else Device(script)
    with pytest.raises(SourceError, match=expected):
        Live("0", device)


def test_a_camera_that_was_never_there_names_those_that_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cameras on this machine"):
        open_source("97")
    for name in ("dev/video0", "dev/video10", "dev/video2", "names/video0/name"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("A webcam\n")
    monkeypatch.setattr(capture, "DEVICES", tmp_path / "dev")
    monkeypatch.setattr(capture, "NAMES", tmp_path / "names")
    monkeypatch.setattr(sys, "platform", "linux")
    listed = capture.cameras().replace(f"{tmp_path}/dev/", "")
    assert listed == "video0 (A webcam), video2, video10"


class Webcam:
    """cv2.VideoCapture on a camera that grants 640x480 and MJPG, whatever it is asked for."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.asked: list[tuple[int, float]] = []
        self.granted = {
            cv2.CAP_PROP_FRAME_WIDTH: 640.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
            cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"MJPG")),
        }

    def isOpened(self) -> bool:
        return True

    def set(self, key: int, value: float) -> bool:
        self.asked.append((key, value))
        return True

    def get(self, key: int) -> float:
        return self.granted[key]

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((480, 640), dtype=np.uint8)

    def release(self) -> None:
        pass


@pytest.mark.parametrize(
    ("settings", "notice"),
    [
        (CameraSettings(), None),
        (CameraSettings((640, 480), 30, "MJPG"), None),
        (CameraSettings((1280, 720), 30, "MJPG"), "it gives 640x480 at 30 FPS in MJPG"),
        (CameraSettings(fps=60), "it gives 640x480 at 30 FPS in MJPG"),
        (CameraSettings(fourcc="YUYV"), "it gives 640x480 at 30 FPS in MJPG"),
    ],
)
@pytest.mark.parametrize("text", ["3", "/dev/video3"])
def test_what_a_webcam_does_not_grant_is_told(
    monkeypatch: pytest.MonkeyPatch, text: str, settings: CameraSettings, notice: str | None
) -> None:
    made: list[Webcam] = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *arguments: made.append(Webcam(*arguments)) or made[-1])
    with open_source(text, settings=settings) as source:
        assert made[0].arguments == (3,)
        assert (source.notice is None) == (notice is None)
        assert notice is None or notice in str(source.notice)
        assert next(iter(source)).image.shape == (480, 640, 3), "grey cameras give BGR too"
    keys = [key for key, _ in made[0].asked]
    assert keys.index(cv2.CAP_PROP_FOURCC) < keys.index(cv2.CAP_PROP_FRAME_WIDTH) if len(keys) > 3 else True


def test_the_pi_camera_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match=r"sudo apt install python3-picamera2.*system-site-packages"):
        open_source("picamera")


def test_a_pi_without_a_camera_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=lambda: [][0]))
    with pytest.raises(SourceError, match="cannot open the Pi's camera"):
        open_source("picamera")


def test_the_pi_camera_gives_blue_green_red(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picamera2:
        def create_video_configuration(self, **asked: Any) -> dict[str, Any]:
            assert asked["main"]["format"] == "RGB888"
            return asked

        def configure(self, asked: dict[str, Any]) -> None:
            self.configuration = {"main": {"size": (800, 600)}}
            assert asked["main"]["size"] == (801, 600)
            assert asked["controls"] == {"FrameDurationLimits": (40000, 40000)}

        def camera_configuration(self) -> dict[str, Any]:
            return self.configuration

        def capture_array(self, _: str) -> np.ndarray:
            return np.full((600, 800, 3), (1, 2, 3), dtype=np.uint8)

        def start(self) -> None:
            pass

        stop = close = start

    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=Picamera2))
    with open_source("picamera", settings=CameraSettings((801, 600), 25.0)) as source:
        assert source.notice == "the Pi's camera gives 800x600"
        assert source.fps == 25
        assert next(iter(source)).image[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "extra", "expected"),
    [
        ("demo", {"settings": CameraSettings(fps=5)}, "expected a camera"),
        ("rtsp://camera/1", {"settings": CameraSettings(fps=5)}, "expected a camera"),
        ("picamera", {"settings": CameraSettings(fourcc="MJPG")}, "has no use"),
        ("/dev/null", {}, "neither"),
        ("nowhere/*.jpg", {}, "found none"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, extra: dict[str, Any], expected: str) -> None:
    with pytest.raises(EmotionError, match=expected):
        open_source(text, **extra)


def test_the_demo_is_the_same_each_time_and_moves() -> None:
    first, second = (list(open_source("demo")) for _ in range(2))
    assert len(first) == recorded.DEMO_FRAMES
    assert all((a.image == b.image).all() for a, b in zip(first, second, strict=True))
    assert first[0].image.shape == (480, 640, 3)
    assert np.abs(first[0].image.astype(int) - first[80].image).mean() > 10
    assert first[30].time_s == pytest.approx(1.0)


def make_video(path: Path, frames: int, value: int = 10) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(frames):
        writer.write(np.full((48, 64, 3), value * i, dtype=np.uint8))
    writer.release()
    return path


def test_a_video_gives_every_frame_in_order(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 12))) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    assert [round(frame.image.mean() / 10) for frame in frames] == list(range(12))
    assert all(frame.name is None for frame in frames)


def test_a_video_that_claims_more_frames_than_it_has_ends_where_it_ends(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.avi", 40, value=5)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    claimed = cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FRAME_COUNT)
    assert 5 < len(list(open_source(str(clip)))) < claimed


def test_realtime_plays_a_recording_as_a_camera_would(tmp_path: Path) -> None:
    start = time.monotonic()
    with open_source(str(make_video(tmp_path / "clip.avi", 11, value=0)), realtime=True) as source:
        assert source.live
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.1)  # a slow loop
    assert 10 / 25 <= time.monotonic() - start < 5
    assert source.dropped > 0
    assert frames[-1].index == 10
    assert len(frames) + source.dropped == 11
    assert all(frame.error is None for frame in frames), "a recording of one picture is no camera that is stuck"
    cv2.imwrite(str(tmp_path / "a.png"), picture(1))
    with pytest.raises(UsageError, match="--realtime"):
        open_source(str(tmp_path / "a.png"), realtime=True)


def test_pictures_come_in_the_order_of_their_names_with_them(tmp_path: Path) -> None:
    for name, value in (("b.png", 2), ("a.jpg", 1), ("c.PNG", 3)):
        cv2.imwrite(str(tmp_path / name), np.full((8, 8, 3), 10 * value, dtype=np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    with open_source(str(tmp_path)) as source:
        assert [(frame.name, int(frame.image[0, 0, 0])) for frame in source] == [
            ("a.jpg", 10),
            ("b.png", 20),
            ("c.PNG", 30),
        ]
        assert source.independent


def test_a_glob_gives_names_that_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x/1.png", "y/1.png", "y/2.png", "y/3.jpg", "[z].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), picture(1))
    monkeypatch.chdir(tmp_path)

    def names(pattern: str) -> list[str | None]:
        return [frame.name for frame in open_source(pattern)]

    assert names("*/*.png") == ["x/1.png", "y/1.png", "y/2.png"]
    assert names(f"{tmp_path}/y/?.*") == ["1.png", "2.png", "3.jpg"]
    assert names("**/1.png") == ["x/1.png", "y/1.png"]
    assert names("[z].png") == ["[z].png"], "a file that is there is no pattern"


@pytest.mark.parametrize(("channels", "suffix"), [(1, ".png"), (4, ".png"), (1, ".jpg")])
def test_grey_and_alpha_pictures_become_bgr(tmp_path: Path, channels: int, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.full((8, 6, channels), 90, dtype=np.uint8))
    (frame,) = open_source(str(path))
    assert frame.image.shape == (8, 6, 3)
    assert frame.image[0, 0].tolist() == [90, 90, 90]


def test_a_picture_that_was_taken_sideways_stands_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    image = np.zeros((16, 32, 3), dtype=np.uint8)
    image[:, :16] = 255  # white to the left
    data = cv2.imencode(".jpg", image)[1].tobytes()
    orientation = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # 6: turn it clockwise
    exif = b"Exif\0\0" + orientation
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    (frame,) = open_source(str(path))
    assert frame.image.shape == (32, 16, 3)
    assert frame.image[:12].min() > 200, "what was to the left is on top"


def test_paced_frames_take_as_long_as_the_clip(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 6))) as source:
        start = time.monotonic()
        assert len(list(paced(source))) == 6
        assert time.monotonic() - start >= 5 / 25

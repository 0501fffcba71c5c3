"""Test webcams and the Pi's camera on fake drivers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.errors import SourceError, UsageError
from edge.opencv import cv2
from edge.source import open_source
from edge.sources.base import CameraSettings
from edge.sources.camera import Camera


class FakeVideoCapture:
    """Replace cv2.VideoCapture: a grey camera that grants 640x480 at 30 FPS in MJPG, whatever is requested."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.requested: list[int] = []
        self.script: list[bool] = []  # whether the first reads succeed
        self.granted = {
            cv2.CAP_PROP_FRAME_WIDTH: 640.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
            cv2.CAP_PROP_FPS: 30.0,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"MJPG")),
        }

    def isOpened(self) -> bool:
        return True

    def set(self, key: int, value: float) -> bool:
        self.requested.append(key)
        return True

    def get(self, key: int) -> float:
        return self.granted[key]

    def read(self) -> tuple[bool, np.ndarray | None]:
        success = self.script.pop(0) if self.script else True
        return success, np.zeros((480, 640), dtype=np.uint8) if success else None

    def release(self) -> None:
        pass


@pytest.fixture
def webcams(monkeypatch: pytest.MonkeyPatch) -> list[FakeVideoCapture]:
    """Replace cv2.VideoCapture; return the list of those opened."""
    opened: list[FakeVideoCapture] = []

    def open_capture(*arguments: Any) -> FakeVideoCapture:
        opened.append(FakeVideoCapture(*arguments))
        return opened[-1]

    monkeypatch.setattr(cv2, "VideoCapture", open_capture)
    return opened


@pytest.mark.parametrize("text", ["3", "/dev/video3"])
def test_webcam_is_opened_by_its_number(webcams: list[FakeVideoCapture], text: str) -> None:
    with open_source(text) as source:
        assert webcams[0].arguments == (3,)
        assert next(iter(source)).image.shape == (480, 640, 3), "grey cameras give BGR too"


def test_webcam_is_opened_by_a_link(webcams: list[FakeVideoCapture], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "resolve", lambda path: Path("/dev/video5") if path.name == "usb-webcam" else path)
    with open_source("/dev/v4l/by-id/usb-webcam"):
        assert webcams[0].arguments == (5,)


@pytest.mark.parametrize(
    ("settings", "is_granted"),
    [
        (CameraSettings(), True),
        (CameraSettings((640, 480), 30, "MJPG"), True),
        (CameraSettings((1280, 720), 30, "MJPG"), False),
        (CameraSettings(fps=60), False),
        (CameraSettings(fourcc="YUYV"), False),
    ],
)
def test_webcam_settings_that_are_not_granted_are_reported(
    webcams: list[FakeVideoCapture], settings: CameraSettings, is_granted: bool
) -> None:
    with open_source("0", settings=settings) as source:
        notice = source.notice
    if is_granted:
        assert notice is None
    else:
        assert notice is not None
        assert "it gives 640x480 at 30 FPS in MJPG" in notice


def test_webcam_settings_are_requested_in_an_order_that_drivers_need(webcams: list[FakeVideoCapture]) -> None:
    with open_source("0", settings=CameraSettings((1280, 720), 30, "MJPG")):
        pass
    size = [cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT]
    assert webcams[0].requested == [cv2.CAP_PROP_BUFFERSIZE, cv2.CAP_PROP_FOURCC, *size, cv2.CAP_PROP_FPS]


def test_webcam_may_fail_at_a_read(monkeypatch: pytest.MonkeyPatch, webcams: list[FakeVideoCapture]) -> None:
    """Fail at the first reads, as many cameras do while they warm up, and at a later one."""
    camera = Camera("0", CameraSettings())
    for failures in (20, 3):
        webcams[0].script = [False] * failures
        assert camera.read() is not None
    monkeypatch.setattr("edge.sources.camera.RETRY_S", 0.0)
    webcams[0].script = [False] * 9
    assert camera.read() is None, "the camera is lost"


def test_webcam_that_opens_and_gives_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, webcams: list[FakeVideoCapture]
) -> None:
    monkeypatch.setattr("edge.sources.camera.WARM_UP_S", 0.0)
    monkeypatch.setattr(FakeVideoCapture, "read", lambda _: (False, None))
    monkeypatch.setattr("edge.sources.camera.why_not", lambda _: "use --source picamera")
    with pytest.raises(SourceError, match=r"^camera 0 opens but gives no picture: use --source picamera$"):
        open_source("0")


def test_missing_picamera2_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match=r"sudo apt install python3-picamera2.*system-site-packages"):
        open_source("picamera")


@pytest.mark.parametrize(
    ("raised", "version", "hint"),
    [
        ("ValueError('numpy.dtype size changed, may indicate binary incompatibility')", "2.4.0", "'numpy<2'"),
        ("AttributeError('_ARRAY_API not found')", "2.4.0", "'numpy<2'"),
        ("ImportError('numpy.core.multiarray failed to import\\n\\n more lines')", "2.4.0", "'numpy<2'"),
        ("ValueError('numpy.dtype size changed, may indicate binary incompatibility')", "1.26.4", "'numpy>=2'"),
        ("ImportError('libcamera.so.0.4: cannot open shared object file')", "2.4.0", "apt install python3-picamera2"),
    ],
)
def test_picamera2_for_another_numpy_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    raised: str,
    version: str,
    hint: str,
) -> None:
    """Raise the errors of Debian 12's picamera2, whose parts are compiled for numpy 1."""
    page = "import os; os.write(2, b'A module that was compiled using NumPy 1.x cannot be run in NumPy 2')"
    (tmp_path / "picamera2.py").write_text(f"{page}\nraise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.setattr(np, "__version__", version)
    with pytest.raises(SourceError) as caught:
        open_source("picamera")
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_pi_without_a_camera_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise IndexError("list index out of range")  # as picamera2 does

    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=fail))
    with pytest.raises(SourceError, match="cannot open the Pi's camera"):
        open_source("picamera")


class FakePicamera2:
    """Replace picamera2.Picamera2: a camera that grants 800x600, whatever is requested."""

    def create_video_configuration(self, **configuration: Any) -> dict[str, Any]:
        return configuration

    def configure(self, configuration: dict[str, Any]) -> None:
        assert configuration["main"] == {"format": "RGB888", "size": (801, 600)}
        assert configuration["controls"] == {"FrameDurationLimits": (40000, 40000)}

    def camera_configuration(self) -> dict[str, Any]:
        return {"main": {"size": (800, 600)}}

    def capture_array(self, _: str) -> np.ndarray:
        return np.full((600, 800, 3), (1, 2, 3), dtype=np.uint8)

    def start(self) -> None:
        pass

    stop = start
    close = start


def test_pi_camera_gives_bgr_and_reports_its_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=FakePicamera2))
    with open_source("picamera", settings=CameraSettings((801, 600), 25.0)) as source:
        assert source.notice == "the Pi's camera gives 800x600"
        assert source.fps == 25
        assert next(iter(source)).image[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("demo", CameraSettings(fps=5), "supports --fps, found demo"),
        ("rtsp://camera/1", CameraSettings((640, 480), 5), "supports --resolution and --fps, found rtsp"),
        ("picamera", CameraSettings(fps=5, fourcc="MJPG"), "supports --fourcc, found picamera"),
        ("clip.mp4", CameraSettings(fps=5), "supports --fps, found clip.mp4"),
    ],
)
def test_unsupported_settings_are_refused(text: str, settings: CameraSettings, expected: str) -> None:
    with pytest.raises(UsageError, match=f"expected a camera that {expected}"):
        open_source(text, settings=settings)


def test_a_pi_camera_that_does_not_start_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Busy(FakePicamera2):
        def start(self) -> None:
            raise RuntimeError("device or resource busy")

        def close(self) -> None:
            closed.append(self)

    monkeypatch.setitem(sys.modules, "picamera2", SimpleNamespace(Picamera2=Busy))
    with pytest.raises(SourceError, match="busy"):
        open_source("picamera", settings=CameraSettings((801, 600), 25.0))
    assert len(closed) == 1

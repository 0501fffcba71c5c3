"""Test the list of cameras, and the reason why one does not work, on devices that fakes describe."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.options import parse_args
from edge.sources import camera_list, camera_trouble, v4l2
from edge.sources.camera_list import CAMERA, METADATA, PI_CAMERA, CameraInfo, linux_cameras, summary, table
from edge.sources.v4l2 import Answer

WEBCAM = Answer("uvcvideo", "HD Webcam", True, False, {"YUYV": (640, 480), "MJPG": (1920, 1080)})
PI_5 = {
    **dict.fromkeys(range(8), ("rp1-cfe-csi2_ch0", Answer("rp1-cfe", "rp1-cfe", True, False, {}))),
    8: ("HD Webcam: IR", Answer("uvcvideo", "HD Webcam: IR", True, False, {"GREY": (640, 360)})),
    9: ("HD Webcam: Meta", Answer("uvcvideo", "HD Webcam", False, True, {})),
    10: ("HD Webcam", WEBCAM),
    19: ("rpi-hevc-dec", Answer("rpi-hevc-dec", "rpi-hevc-dec", False, False, {})),
    **dict.fromkeys(range(20, 36), ("pispbe-input", Answer("pispbe", "pispbe", False, False, {}))),
}


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Callable[[Path], Answer]]:
    """Make device files with names; return a function that answers for them."""

    def make(described: dict[int, tuple[str, Answer | OSError]]) -> Callable[[Path], Answer]:
        for index, (name, _) in described.items():
            (tmp_path / "names" / f"video{index}").mkdir(parents=True)
            (tmp_path / "names" / f"video{index}" / "name").write_text(f"{name}\n")
            (tmp_path / f"video{index}").touch()
        (tmp_path / "video-none").touch()
        monkeypatch.setattr(camera_list, "DEVICE_FOLDER", tmp_path)
        monkeypatch.setattr(camera_list, "NAME_FOLDER", tmp_path / "names")
        monkeypatch.setattr(sys, "platform", "linux")

        def ask(device: Path) -> Answer:
            answer = described[int(device.name.removeprefix("video"))][1]
            if isinstance(answer, OSError):
                raise answer
            return answer

        return ask

    return make


def test_cameras_come_first_and_other_devices_are_folded(devices: Callable[..., Callable[[Path], Answer]]) -> None:
    assert table(linux_cameras(devices(PI_5))) == [
        " 8  HD Webcam: IR  GREY 640x360 (infrared)",
        "10  HD Webcam      MJPG 1920x1080, YUYV 640x480",
        "video0-video7: the Pi's camera module; its source is picamera",
        "video9: metadata of a camera, no pictures",
        "video19-video35: image processor of the Pi, no camera",
    ]


def test_a_device_without_permission_is_listed_with_that(devices: Callable[..., Callable[[Path], Answer]]) -> None:
    cameras = linux_cameras(devices({0: ("HD Webcam", PermissionError(13, "Permission denied"))}))
    assert table(cameras) == ["0  HD Webcam  (no permission)"]


def test_list_cameras_is_an_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(camera_list, "DEVICE_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SystemExit) as ended:
        parse_args(None, ["--list-cameras"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == "no camera found\n"


@pytest.mark.parametrize(
    ("list_them", "output", "expected"),
    [
        (
            camera_list.macos_cameras,
            {
                "SPCameraDataType": [
                    {"_name": "iPhone", "spcamera_unique-id": "B"},
                    {"_name": "FaceTime HD", "spcamera_unique-id": "A"},
                ]
            },
            ["0  FaceTime HD", "1  iPhone"],
        ),
        (
            camera_list.windows_cameras,
            [{"FriendlyName": "Integrated IR Camera"}, {"FriendlyName": "Integrated Camera"}],
            ["0  Integrated Camera", "-  Integrated IR Camera  (infrared)"],
        ),
        (camera_list.windows_cameras, {"FriendlyName": "One Camera"}, ["0  One Camera"]),
        (camera_list.windows_cameras, None, ["no camera found"]),
        (camera_list.macos_cameras, None, ["no camera found"]),
    ],
)
def test_cameras_of_other_systems(list_them: Callable[..., list[CameraInfo]], output: Any, expected: list[str]) -> None:
    assert table(list_them(lambda _: output)) == expected


class FakeDriver:
    """Answer the ioctls of a camera that gives MJPG in two sizes and YUYV from 16x16 to 640x480."""

    def __init__(self, busy: bool = False) -> None:
        self.busy = busy

    def ioctl(self, _: int, request: int, answer: bytearray) -> None:
        if request == v4l2.VIDIOC_QUERYCAP:
            of_all, of_node = v4l2.HAS_DEVICE_CAPS | 0x1 | v4l2.METADATA, 0x1
            answer[:] = struct.pack("=16s32s32sIII12x", b"uvcvideo", b"HD Webcam", b"usb", 0, of_all, of_node)
        elif request == v4l2.VIDIOC_ENUM_FMT:
            answer[44:48] = [b"MJPG", b"YUYV"][self._index(answer, 2)]
        elif request == v4l2.VIDIOC_ENUM_FRAMESIZES and answer[4:8] == b"MJPG":
            struct.pack_into("=III", answer, 8, 1, *[(640, 480), (1920, 1080)][self._index(answer, 2)])
        elif request == v4l2.VIDIOC_ENUM_FRAMESIZES:
            struct.pack_into("=7I", answer, 8, 3, 16, 640, 16, 16, 480, 16)
        elif request == v4l2.VIDIOC_REQBUFS and self.busy:
            raise OSError(16, "Device or resource busy")

    def _index(self, answer: bytearray, count: int) -> int:
        index = int(struct.unpack_from("=I", answer)[0])
        if index >= count:
            raise OSError(22, "Invalid argument")
        return index


def test_a_device_is_asked_what_it_is(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    expected = {"MJPG": (1920, 1080), "YUYV": (640, 480)}
    assert v4l2.ask(device, FakeDriver().ioctl) == Answer("uvcvideo", "HD Webcam", True, False, expected)
    assert not v4l2.is_busy(device, FakeDriver().ioctl)
    assert v4l2.is_busy(device, FakeDriver(busy=True).ioctl)


@pytest.mark.parametrize(
    ("found", "may_read", "busy", "reason"),
    [
        (None, True, False, "there is none with this number; cameras on this machine: 1 (x); or try --source demo"),
        (CameraInfo(0, "unicam", PI_CAMERA), True, False, "use --source picamera"),
        (CameraInfo(0, "x", METADATA), True, False, "is no camera (metadata of a camera, no pictures); cameras on"),
        (CameraInfo(0, "x", CAMERA), False, False, "sudo usermod -aG video $USER"),
        (CameraInfo(0, "x", CAMERA), True, True, "another program uses"),
        (CameraInfo(0, "x", CAMERA), True, False, "gives nothing; try another --resolution"),
    ],
)
def test_reason_on_linux(
    monkeypatch: pytest.MonkeyPatch, found: CameraInfo | None, may_read: bool, busy: bool, reason: str
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: may_read)
    others = f"cameras on this machine: {summary([CameraInfo(1, 'x')])}; or try --source demo"
    assert reason in camera_trouble.linux_reason(found, others, lambda _: busy)


@pytest.mark.parametrize(
    ("platform", "cameras", "denies", "reason"),
    [
        ("darwin", [], False, "macOS has none"),
        ("darwin", [CameraInfo(0, "FaceTime HD")], False, "Privacy & Security > Camera"),
        ("darwin", [CameraInfo(1, "FaceTime HD")], False, "none with this number; cameras on this machine: 1 (Face"),
        ("win32", [CameraInfo(0, "Camera")], True, "Let desktop apps access your camera"),
        ("win32", [CameraInfo(0, "Camera")], False, "another program may be using it"),
    ],
)
def test_reason_on_other_systems(
    monkeypatch: pytest.MonkeyPatch, platform: str, cameras: list[CameraInfo], denies: bool, reason: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(camera_list, "list_cameras", lambda: cameras)
    monkeypatch.setattr(camera_trouble, "_registry_value", lambda _: "Deny" if denies else "Allow")
    assert reason in camera_trouble.why_not(0)

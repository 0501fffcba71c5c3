"""Devices that a live source reads: OpenCV's cameras and streams, the Pi's CSI camera, a recording at its own pace."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources.base import Source
from edge.values import Image

# A driver that gives nothing is left after so long; until then its thread holds the device, and it cannot be reopened.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "3")  # seconds; a webcam on Linux
os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # its news would stand beside our lines
# A network stream. While one is opened, OpenCV opens and closes no other video: a recording waits for it at the end.
TIMEOUTS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 3_000]
DEVICES, NAMES = Path("/dev"), Path("/sys/class/video4linux")


@dataclass(frozen=True)
class CameraSettings:
    """What is asked of a camera; None leaves it to the driver. Drivers grant what they can and never complain."""

    resolution: tuple[int, int] | None = None  # width, height in pixels
    fps: float | None = None
    fourcc: str | None = None  # pixel format: MJPG is what lets most webcams give more than 640x480 at 30 FPS


class Capture(Protocol):
    """An open device. `read` blocks for the next picture, uint8 [height, width, 3] BGR; None where there are no more.

    One thread reads and releases it.
    """

    fps: float
    notice: str | None

    def read(self) -> Image | None: ...

    def release(self) -> None: ...


class OpenCVCapture:
    """A webcam by its number, or a network stream by its URL. Raises SourceError where it cannot be opened."""

    def __init__(self, device: int | str, settings: CameraSettings) -> None:
        if isinstance(device, str):
            self._capture = cv2.VideoCapture(device, cv2.CAP_FFMPEG, TIMEOUTS)
        else:
            self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            self._capture.release()
            there = f"cameras on this machine: {cameras()}" if isinstance(device, int) else "does its address answer?"
            raise SourceError(f"cannot open camera {device}; {there}; or try --source demo")
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.notice = self._ask(device, settings)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 240 else 30.0

    def _ask(self, device: int | str, settings: CameraSettings) -> str | None:
        """Set what is asked for, format first since it bounds the rest; say what was granted where that differs."""
        asked: list[tuple[int, float]] = []
        if settings.fourcc:
            asked.append((cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.fourcc)))
        if settings.resolution:
            width, height = settings.resolution
            asked += [(cv2.CAP_PROP_FRAME_WIDTH, width), (cv2.CAP_PROP_FRAME_HEIGHT, height)]
        if settings.fps:
            asked.append((cv2.CAP_PROP_FPS, settings.fps))
        for key, value in asked:
            self._capture.set(key, value)
        get = self._capture.get
        if all(abs(get(key) - value) <= 0.5 for key, value in asked):
            return None
        fourcc = int(get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("ascii", "replace").strip("\0")
        return (
            f"camera {device} does not grant all of it: it gives {get(cv2.CAP_PROP_FRAME_WIDTH):.0f}x"
            f"{get(cv2.CAP_PROP_FRAME_HEIGHT):.0f} at {get(cv2.CAP_PROP_FPS):.0f} FPS in {fourcc or 'no named format'}"
        )

    def read(self) -> Image | None:
        read, image = self._capture.read()
        if not read:
            return None
        return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)

    def release(self) -> None:
        self._capture.release()


class PiCapture:
    """The Pi's CSI camera, which OpenCV cannot see, through picamera2. Raises SourceError where there is none."""

    def __init__(self, settings: CameraSettings) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise SourceError(
                "--source picamera needs picamera2; run: sudo apt install python3-picamera2, and make the environment"
                " with: python3 -m venv --system-site-packages"
            ) from error
        size, self.fps = settings.resolution or (640, 480), settings.fps or 30.0
        frame_us = round(1e6 / self.fps)
        try:
            self._camera = Picamera2()
            configuration = self._camera.create_video_configuration(
                main={"format": "RGB888", "size": size},  # picamera2's name for blue, green, red in memory
                controls={"FrameDurationLimits": (frame_us, frame_us)},
                queue=False,  # never a frame from before it was asked for
            )
            self._camera.configure(configuration)
            self._camera.start()
        except (IndexError, RuntimeError) as error:  # none connected; in use by another program; beyond the sensor
            raise SourceError(f"cannot open the Pi's camera ({error}); try: rpicam-hello --list-cameras") from error
        granted = tuple(self._camera.camera_configuration()["main"]["size"])
        self.notice = None if granted == size else f"the Pi's camera gives {granted[0]}x{granted[1]}"

    def read(self) -> Image | None:
        return self._camera.capture_array("main")

    def release(self) -> None:
        self._camera.stop()
        self._camera.close()


class Playback:
    """A recorded source as a camera would give it: each frame at its own time, whether or not somebody takes it."""

    def __init__(self, source: Source) -> None:
        self.fps, self.notice = source.fps, source.notice
        self._source, self._images, self._count = source, source.images(), 0
        self._start_s = time.monotonic()

    def read(self) -> Image | None:
        image, _ = next(self._images, (None, None))
        due_s = self._start_s + self._count / self.fps
        time.sleep(max(0.0, due_s - time.monotonic()))
        self._count += 1
        return image

    def release(self) -> None:
        self._source.close()


def cameras() -> str:
    """The cameras of this machine in words, with their names where the system tells (Linux)."""
    if not sys.platform.startswith("linux"):
        return "not listed by this system, try 0 or 1"
    found = []
    for device in sorted(DEVICES.glob("video*"), key=lambda device: (len(device.name), device.name)):
        name = NAMES / device.name / "name"
        found.append(f"{device} ({name.read_text().strip()})" if name.is_file() else str(device))
    listed = ", ".join(found) or "none"
    return listed + (" (a Pi's CSI camera: --source picamera)" if "unicam" in listed or "rp1-cfe" in listed else "")

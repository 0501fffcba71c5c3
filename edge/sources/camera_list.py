"""List the cameras of this machine: on Linux from its devices, on macOS and Windows from what the system tells."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.sources import v4l2
from edge.untrusted import parse_json, printable

DEVICE_FOLDER = Path("/dev")
NAME_FOLDER = Path("/sys/class/video4linux")
SYSTEM_TIMEOUT_S = 15.0
MACOS_COMMAND = ["system_profiler", "SPCameraDataType", "-json"]
WINDOWS_COMMAND = [
    "powershell",
    "-NoProfile",
    "-Command",
    "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    "Get-PnpDevice -PresentOnly -Class Camera,Image -ErrorAction SilentlyContinue"
    " | Select-Object FriendlyName,InstanceId | ConvertTo-Json",
]

CAMERA = "camera"
INFRARED = "infrared camera"
METADATA = "metadata of a camera, no pictures"
PI_CAMERA = "the Pi's camera module; its source is picamera"
PI_PROCESSOR = "image processor of the Pi, no camera"
OTHER = "no camera"
PI_CAMERA_DRIVERS = ("unicam", "rp1-cfe")
PI_PROCESSOR_DRIVERS = ("bcm2835-isp", "bcm2835-codec", "pispbe", "rpivid", "rpi-hevc-dec", "rp1-pispbe")
GREY_FORMATS = {"GREY", "Y8", "Y8I", "Y10", "Y10B", "Y12", "Y12I", "Y16", "Y16 "}


@dataclass(frozen=True)
class CameraInfo:
    """Describe a camera, or a device that looks like one. `index` is its number as source; None if it has none."""

    index: int | None
    name: str
    kind: str = CAMERA
    formats: dict[str, tuple[int, int]] = field(default_factory=dict)  # FourCC -> largest width and height in pixels
    driver: str = ""
    trouble: str = ""  # why it cannot be asked

    @property
    def is_camera(self) -> bool:
        """Return whether it gives pictures under its number."""
        return self.kind in (CAMERA, INFRARED)


def list_cameras() -> list[CameraInfo]:
    """Return the cameras of this machine and the devices that look like one."""
    if sys.platform == "darwin":
        return macos_cameras()
    if sys.platform == "win32":
        return windows_cameras()
    return linux_cameras()


def linux_cameras(ask: Callable[[Path], v4l2.Answer] = v4l2.ask) -> list[CameraInfo]:
    """Return the devices of Video4Linux."""
    devices = [device for device in DEVICE_FOLDER.glob("video*") if device.name.removeprefix("video").isdecimal()]
    return [_linux_camera(device, ask) for device in sorted(devices, key=_index)]


def _linux_camera(device: Path, ask: Callable[[Path], v4l2.Answer]) -> CameraInfo:
    name_file = NAME_FOLDER / device.name / "name"
    name = name_file.read_text(errors="replace").strip() if name_file.is_file() else device.name
    try:
        answer = ask(device)
    except OSError as error:
        trouble = "no permission" if isinstance(error, PermissionError) else error.strerror or str(error)
        answer = v4l2.Answer(name, name, True, False, {})
    else:
        trouble = ""
    return CameraInfo(_index(device), name, _kind(name, answer), answer.formats, answer.driver, trouble)


def _kind(name: str, answer: v4l2.Answer) -> str:
    for kind, drivers in ((PI_CAMERA, PI_CAMERA_DRIVERS), (PI_PROCESSOR, PI_PROCESSOR_DRIVERS)):
        if answer.driver.startswith(drivers) or name.startswith(drivers):
            return kind
    if answer.is_metadata:
        return METADATA
    if not answer.captures:
        return OTHER
    is_grey = bool(answer.formats) and all(fourcc in GREY_FORMATS for fourcc in answer.formats)
    return INFRARED if is_grey or _is_named_infrared(name) else CAMERA


def _is_named_infrared(name: str) -> bool:
    return "infrared" in name.lower() or "IR" in name.replace(":", " ").split()


def _index(device: Path) -> int:
    return int(device.name.removeprefix("video"))


def macos_cameras(run: Callable[[list[str]], Any] | None = None) -> list[CameraInfo]:
    """Return the cameras in the order of OpenCV's numbers, which is that of their identifiers."""
    found = (run or _run_json)(MACOS_COMMAND)
    cameras = found.get("SPCameraDataType", []) if isinstance(found, dict) else []
    ordered = sorted(cameras, key=lambda camera: str(camera.get("spcamera_unique-id", "")))
    return [CameraInfo(index, str(camera.get("_name", "camera"))) for index, camera in enumerate(ordered)]


def windows_cameras(run: Callable[[list[str]], Any] | None = None) -> list[CameraInfo]:
    """Return the cameras in the order of Windows; infrared ones have no number there."""
    found = (run or _run_json)(WINDOWS_COMMAND)
    names = [str(item["FriendlyName"]) for item in (found if isinstance(found, list) else [found]) if item]
    infrared = [name for name in names if _is_named_infrared(name)]
    cameras = [CameraInfo(index, name) for index, name in enumerate(name for name in names if name not in infrared)]
    return cameras + [CameraInfo(None, name, INFRARED) for name in infrared]


def _run_json(command: list[str]) -> Any:
    """Return what a command of the system prints as JSON; None if it fails."""
    try:
        output = subprocess.run(command, capture_output=True, timeout=SYSTEM_TIMEOUT_S, check=True).stdout
        return parse_json(output)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def table(cameras: Sequence[CameraInfo]) -> list[str]:
    """Return lines for --list-cameras: a line for each camera, then one for each kind of other device."""
    real = [camera for camera in cameras if camera.is_camera]
    rows = [[_source(camera), camera.name, _details(camera)] for camera in real]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [f"{source:>{widths[0]}}  {name:{widths[1]}}  {details}".rstrip() for source, name, details in rows]
    return [printable(line) for line in [*(lines or ["no camera found"]), *_folded(cameras)]]


def summary(cameras: Sequence[CameraInfo]) -> str:
    """Return the cameras in one line, for an error."""
    real = [f"{_source(camera)} ({camera.name})" for camera in cameras if camera.is_camera]
    has_pi_camera = any(camera.kind == PI_CAMERA for camera in cameras)
    return ", ".join([*real, *(["picamera"] if has_pi_camera else [])]) or "none"


def _source(camera: CameraInfo) -> str:
    return "-" if camera.index is None else str(camera.index)


def _details(camera: CameraInfo) -> str:
    formats = ", ".join(
        f"{fourcc} {width}x{height}" if width else fourcc for fourcc, (width, height) in _sorted(camera)
    )
    notes = [note for note in (camera.trouble, "infrared" if camera.kind == INFRARED else "") if note]
    return " ".join([formats, *(f"({note})" for note in notes)]).strip()


def _sorted(camera: CameraInfo) -> list[tuple[str, tuple[int, int]]]:
    return sorted(camera.formats.items(), key=lambda item: -item[1][0] * item[1][1])


def _folded(cameras: Iterable[CameraInfo]) -> list[str]:
    """Return one line for each kind of device that is no camera, with the range of its numbers."""
    groups: dict[str, list[CameraInfo]] = {}
    for camera in cameras:
        if not camera.is_camera:
            groups.setdefault(camera.kind, []).append(camera)
    return [f"{_ranges([camera.index or 0 for camera in group])}: {kind}" for kind, group in groups.items()]


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in order as `video1, video4-video7`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"video{run[0]}" + (f"-video{run[-1]}" if len(run) > 1 else "") for run in runs)

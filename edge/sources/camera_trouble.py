"""Find out why a camera cannot be opened or gives no picture: absent, no permission, in use, or no camera at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from edge.sources import camera_list, v4l2
from edge.sources.camera_list import CameraInfo

CONSENT_KEY = r"Software\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\webcam"
GROUP_HINT = "run: sudo usermod -aG video $USER, then log out and in again"
MACOS_HINT = (
    "allow your terminal in System Settings > Privacy & Security > Camera and start it again, or close other programs"
    " that use the camera"
)
WINDOWS_PRIVACY_HINT = "switch on Settings > Privacy & security > Camera > Let desktop apps access your camera"


def why_not(index: int) -> str:
    """Return why camera `index` cannot be opened or gives no picture, and what to do."""
    cameras = camera_list.list_cameras()
    found = next((camera for camera in cameras if camera.index == index), None)
    others = f"cameras on this machine: {camera_list.summary(cameras)}; or try --source demo"
    if sys.platform.startswith("linux"):
        return linux_reason(found, others)
    if found is None and cameras:
        return f"there is none with this number; {others}"
    if sys.platform == "darwin":
        return f"macOS does not give it; {MACOS_HINT}" if found else f"macOS has none; {others}"
    if windows_denies():
        return f"Windows denies it to this program; {WINDOWS_PRIVACY_HINT}"
    return f"another program may be using it; close that one; {others}"


def linux_reason(found: CameraInfo | None, others: str, is_busy: Callable[[Path], bool] = v4l2.is_busy) -> str:
    """Return the reason for a device of Video4Linux, or for none."""
    if found is None:
        return f"there is none with this number; {others}"
    device = camera_list.DEVICE_FOLDER / f"video{found.index}"
    if found.kind == camera_list.PI_CAMERA:
        return f"{device} belongs to the Pi's camera module; use --source picamera"
    if not found.is_camera:
        return f"{device} is no camera ({found.kind}); {others}"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"no permission for {device}; {GROUP_HINT}"
    try:
        if is_busy(device):
            return f"another program uses {device}; close it (fuser -v {device} names it)"
    except OSError as error:
        return f"{device} does not answer ({error.strerror or error}); unplug it and plug it in again"
    return f"{device} gives nothing; try another --resolution or --fourcc MJPG, or another USB port; {others}"


def windows_denies(read_value: Callable[[str], str] | None = None) -> bool:
    """Return whether Windows' privacy settings keep desktop programs from cameras."""
    read_value = read_value or _registry_value
    return any(read_value(key) == "Deny" for key in (CONSENT_KEY, rf"{CONSENT_KEY}\NonPackaged"))


def _registry_value(key: str) -> str:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:  # type: ignore[attr-defined]
            return str(winreg.QueryValueEx(opened, "Value")[0])  # type: ignore[attr-defined]
    except OSError:
        return ""

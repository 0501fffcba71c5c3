"""Check cameras, the right to use them, picamera2 and the display."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.doctor.finding import Finding, Level
from edge.doctor.probe import Facts
from edge.host import user_name
from edge.sources.camera_list import PI_CAMERA, CameraInfo

if sys.platform != "win32":
    import grp

SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")


@dataclass(frozen=True)
class Rights:
    """Describe who may open cameras on Linux."""

    user: str
    is_root: bool
    in_session: bool  # the group video is one of this process
    in_database: bool  # the group has this user, from the next login on
    denied: tuple[str, ...] = ()  # devices that cannot be opened


def rights() -> Rights:
    """Return the rights of this process; on other systems, no group is needed."""
    if not sys.platform.startswith("linux"):
        return Rights("", False, True, True)
    user = user_name(os.getuid())
    devices = sorted(Path("/dev").glob("video*"))
    denied = tuple(str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK))
    try:
        video = grp.getgrnam("video")
    except KeyError:
        return Rights(user, os.getuid() == 0, True, True, denied)
    return Rights(user, os.getuid() == 0, video.gr_gid in os.getgroups(), user in video.gr_mem, denied)


def check_cameras(cameras: Sequence[CameraInfo], is_pi: bool) -> list[Finding]:
    """Judge the cameras: one finding for each, or one for none."""
    findings = []
    for camera in cameras:
        if not camera.is_camera:
            continue
        formats = ", ".join(f"{name} {width}x{height}" for name, (width, height) in camera.formats.items())
        text = f"{'-' if camera.index is None else camera.index}: {camera.name}{f' ({formats})' if formats else ''}"
        if camera.trouble and camera.trouble != "no permission":  # that is the group's
            findings.append(
                Finding("camera", Level.WARNING, f"{text}: {camera.trouble}", "unplug it and plug it in again")
            )
        else:
            findings.append(Finding("camera", Level.OK, text))
    if any(camera.kind == PI_CAMERA for camera in cameras):
        findings.append(Finding("camera", Level.OK, "the Pi's camera module: edge-emotion picamera"))
    if findings:
        return findings
    fix = (
        "rpicam-hello --list-cameras   # for the camera module; else plug a webcam in" if is_pi else "edge-emotion demo"
    )
    return [Finding("camera", Level.WARNING, "none found; videos, pictures, streams and the demo work", fix)]


def check_rights(found: Rights) -> Finding:
    """Judge the right to open cameras."""
    if found.is_root or (found.in_session and not found.denied):
        return Finding(
            "video group", Level.OK, "cameras may be opened" if not found.is_root else "root opens any camera"
        )
    what = f"no permission for {', '.join(found.denied)}" if found.denied else f"{found.user} is not in the group video"
    level = Level.FAULT if found.denied else Level.NOTE
    if found.in_database and not found.in_session:
        return Finding("video group", level, f"{what} in this session", "log out and in again, or run: newgrp video")
    if found.in_session:
        return Finding(
            "video group", level, f"{what}, though in the group video", f"sudo chmod g+rw {' '.join(found.denied)}"
        )
    return Finding("video group", level, what, f"sudo usermod -aG video {found.user}   # then log out and in again")


def check_picamera2(
    facts: Facts, numpy: str, system_has_it: bool, sees_system: bool, environment: str | None
) -> Finding:
    """Judge picamera2 on a Raspberry Pi: it comes from apt, compiled for one major version of `numpy`.

    An `environment` (its folder, None for the system's Python) must see the system's packages.
    """
    check = "picamera2"
    error = facts.get("error", "")
    if not error:
        cameras = ", ".join(facts["cameras"])
        if cameras:
            return Finding(check, Level.OK, f"sees {cameras}")
        return Finding(check, Level.NOTE, "is installed, and sees no camera module", "rpicam-hello --list-cameras")
    if "numpy" in error.lower() or "_ARRAY_API" in error:
        is_newer = not numpy.startswith("1.")
        fix = "pip install '.[headless]' 'numpy<2'" if is_newer else "pip install --upgrade '.[headless]' 'numpy>=2'"
        return Finding(check, Level.WARNING, f"does not fit numpy {numpy} ({error})", fix)
    if system_has_it and environment and not sees_system:
        configuration = shlex.quote(f"{environment}/pyvenv.cfg")
        fix = f"sed -i 's/^include-system-site-packages.*/include-system-site-packages = true/' {configuration}"
        return Finding(check, Level.WARNING, "is installed, but this environment does not see it", fix)
    if system_has_it:
        return Finding(
            check, Level.WARNING, f"cannot be imported ({error})", "sudo apt install --reinstall python3-picamera2"
        )
    return Finding(
        check, Level.NOTE, "is not installed; the camera module needs it", "sudo apt install python3-picamera2"
    )


def check_display(no_window: str | None) -> Finding:
    """Judge the display; `no_window` is why a window cannot be shown."""
    if no_window is None:
        return Finding("display", Level.OK, "windows can be shown")
    text, _, fix = no_window.partition(" (for a window: ")
    return Finding("display", Level.NOTE, f"{text}; readings are printed", fix.removesuffix(")").replace("; ", " && "))

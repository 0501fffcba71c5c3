"""Decide whether a machine and its Python can run this program, which depends on what its packages exist for.

ai-edge-litert 2 has packages for CPython 3.10 to 3.14 on 64-bit Linux (glibc 2.27, x86-64 and ARM), macOS 12 on Apple
silicon, and 64-bit Windows on x86.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from typing import NamedTuple

from edge.host import board

MIN_PYTHON, MAX_PYTHON = (3, 10), (3, 14)
MIN_GLIBC = (2, 27)
MIN_MACOS = (12, 0)
LINUX_MACHINES = ("x86_64", "aarch64")
PI_FIX = "write 'Raspberry Pi OS (64-bit)' to the card: sudo apt install rpi-imager && rpi-imager"
DOCKER_FIX = (
    'run it in Linux: docker run --rm -it -v "$PWD":/project -w /project python:3.12 '
    "sh -c \"pip install '.[headless]' && edge-emotion demo --no-display\""
)
WINDOWS_FIX = "winget install --id Python.Python.3.12 --architecture x64, then: py -3.12 -m venv env"


class Problem(NamedTuple):
    """Hold what is wrong, and the command that mends it or, where none can, what to do."""

    text: str
    fix: str


@dataclass(frozen=True)
class Machine:
    """Describe a machine and its Python."""

    system: str  # as platform.system() has it: Linux, Darwin, Windows
    machine: str  # of the kernel: x86_64, aarch64, armv7l, arm64, AMD64
    bits: int  # of the Python: a 64-bit kernel may run a 32-bit system
    python: tuple[int, int]
    implementation: str = "CPython"
    free_threaded: bool = False
    glibc: tuple[int, int] | None = None  # None: another C library, or another system
    macos: tuple[int, int] | None = None
    rosetta: bool = False  # a program for Intel on Apple silicon
    board: str | None = None
    other_python: str | None = None  # one that is installed too, and that packages exist for


def this_machine() -> Machine:
    """Return the facts about this machine."""
    return Machine(
        platform.system(),
        platform.machine(),
        64 if sys.maxsize > 2**32 else 32,
        (sys.version_info[0], sys.version_info[1]),
        platform.python_implementation(),
        bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        _numbers(platform.libc_ver()[1]) if platform.libc_ver()[0] == "glibc" else None,
        _numbers(platform.mac_ver()[0]),
        _is_translated(),
        board(),
        next(filter(None, (shutil.which(f"python3.{minor}") for minor in (13, 12, 11, 10, 14))), None),
    )


def _numbers(version: str) -> tuple[int, int] | None:
    parts = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return (parts[0], parts[1] if len(parts) > 1 else 0) if parts else None


def _is_translated() -> bool:
    if sys.platform != "darwin":
        return False
    call = ["sysctl", "-n", "sysctl.proc_translated"]
    return subprocess.run(call, capture_output=True, text=True).stdout.strip() == "1"


def machine_problem(machine: Machine) -> Problem | None:
    """Return why the packages do not exist for this machine, or None if they do."""
    by_system = {"Linux": _linux_problem, "Darwin": _macos_problem, "Windows": _windows_problem}
    find = by_system.get(machine.system)
    if find is None:
        return Problem(f"{machine.system} has no package of LiteRT", "use Linux, macOS or Windows")
    return find(machine)


def _linux_problem(machine: Machine) -> Problem | None:
    if machine.machine.startswith(("armv6", "armv5")):
        return Problem(
            f"{machine.board or 'this board'} has an ARMv6 processor, for which there is no package of LiteRT",
            "use a Raspberry Pi Zero 2 W, 3, 4 or 5 with Raspberry Pi OS (64-bit)",
        )
    if machine.bits == 32 and machine.machine.startswith(("arm", "aarch64")):
        kernel = " under a 64-bit kernel" if machine.machine == "aarch64" else ""
        return Problem(f"this is a 32-bit system{kernel}; LiteRT has packages for 64-bit systems alone", PI_FIX)
    if machine.bits == 32 or machine.machine not in LINUX_MACHINES:
        found = f"{machine.bits}-bit {machine.machine}"
        return Problem(f"LiteRT has no package for {found}", f"use 64-bit Linux on {' or '.join(LINUX_MACHINES)}")
    if machine.glibc is None:
        fix = "use a system with glibc, as Debian: docker run --rm -it python:3.12-slim-bookworm"
        return Problem("this system has no glibc (it is Alpine, or the like), which the packages need", fix)
    if machine.glibc < MIN_GLIBC:
        found = ".".join(map(str, machine.glibc))
        return Problem(
            f"the packages need glibc {'.'.join(map(str, MIN_GLIBC))}, found {found}", "use Debian 12 or newer"
        )
    return None


def _macos_problem(machine: Machine) -> Problem | None:
    if machine.rosetta:
        return Problem("this Python is for Intel, on Apple silicon", "arch -arm64 python3 -m venv env")
    if machine.machine != "arm64":
        return Problem("this is an Intel Mac; LiteRT has packages for Apple silicon alone", DOCKER_FIX)
    if machine.macos and machine.macos < MIN_MACOS:
        found = ".".join(map(str, machine.macos))
        return Problem(f"LiteRT needs macOS {MIN_MACOS[0]}, found {found}", "softwareupdate --install --all")
    return None


def _windows_problem(machine: Machine) -> Problem | None:
    if machine.bits == 32:
        return Problem("this is a 32-bit Python; LiteRT has packages for 64-bit ones alone", WINDOWS_FIX)
    if machine.machine.upper() not in ("AMD64", "X86_64"):
        return Problem(
            f"LiteRT has no package for Windows on {machine.machine}; x64 programs run there too", WINDOWS_FIX
        )
    return None


def python_problem(machine: Machine) -> Problem | None:
    """Return why the packages do not exist for this Python, or None if they do."""
    found = f"{machine.implementation} {'.'.join(map(str, machine.python))}"
    expected = f"CPython {'.'.join(map(str, MIN_PYTHON))} to {'.'.join(map(str, MAX_PYTHON))}"
    if machine.implementation == "CPython" and MIN_PYTHON <= machine.python <= MAX_PYTHON and not machine.free_threaded:
        return None
    kind = ", free-threaded" if machine.free_threaded else ""
    environment = "env\\Scripts\\activate" if os.name == "nt" else ". env/bin/activate"
    make = (
        f"{machine.other_python} -m venv env"
        if machine.other_python
        else "pip install uv && uv venv --seed -p 3.13 env"
    )
    return Problem(f"expected {expected}, found {found}{kind}", f"{make} && {environment} && pip install '.[headless]'")

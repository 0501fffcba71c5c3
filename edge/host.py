"""What machine the figures are from, how warm it is, and whether somebody else was using it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PACKAGES = (
    *("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime"),
    *("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
)
WATCHED_S = 1.0  # how long the cores are watched while nothing of ours runs
BUSY = 0.1  # of the cores used by others: from here on times are not to be trusted
THROTTLING = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}  # vcgencmd's bits


def describe() -> dict[str, Any]:
    """Board, processor, cores, memory, governor, system and versions; None where the system does not tell.

    Takes a second, to see what else is running.
    """
    return {
        "board": _read("/proc/device-tree/model"),
        "processor": _processor(),
        "machine": platform.machine(),
        "cores": cores(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_mb": _memory_mb(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": _versions(),
        "used_by_others": _used_by_others(),
        **sensors(),
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sensors() -> dict[str, Any]:
    """What changes during a run: temperature in Celsius, clock in MHz, and what holds a Pi back, where they tell."""
    zone, clock = _read("/sys/class/thermal/thermal_zone0/temp"), None
    if frequency := _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"):
        clock = int(frequency) / 1000
    elif line := _cpuinfo("cpu MHz"):
        clock = float(line)
    return {
        "temperature_c": int(zone) / 1000 if zone else None,
        "clock_mhz": clock,
        "throttled": _throttled(_vcgencmd("get_throttled")),
    }


def _vcgencmd(what: str) -> str | None:
    """What a Raspberry Pi's firmware says; None on other machines."""
    if not shutil.which("vcgencmd"):
        return None
    try:
        return subprocess.run(["vcgencmd", what], capture_output=True, text=True, timeout=5).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None


def _throttled(answer: str | None) -> list[str] | None:
    """`throttled=0x50005` -> what holds now; bits 16 and up tell of the past, and are left out."""
    try:
        bits = int((answer or "").partition("=")[2], 16)
    except ValueError:
        return None
    return [words for bit, words in THROTTLING.items() if bits >> bit & 1]


def _used_by_others() -> float | None:
    """Share of all cores that is busy while this process sleeps (Linux)."""
    before = _ticks()
    time.sleep(WATCHED_S)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return 1 - (after[0] - before[0]) / (after[1] - before[1])


def _ticks() -> tuple[int, int] | None:
    """Idle and all ticks of the cores since the start, waiting for disks counted as idle."""
    first = (_read("/proc/stat") or "").splitlines()[:1]
    numbers = [int(word) for word in first[0].split()[1:9]] if first else []
    return (numbers[3] + numbers[4], sum(numbers)) if len(numbers) >= 5 else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip("\0\n ") or None
    except OSError:
        return None


def _cpuinfo(key: str) -> str | None:
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return None


def _processor() -> str | None:
    return _cpuinfo("model name") or _cpuinfo("Model") or platform.processor() or None


def _memory_mb() -> int | None:
    for line in (_read("/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024 // 1_000_000
    return None


def _versions() -> dict[str, str]:
    there = {}
    for package in PACKAGES:
        try:
            there[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return there


def resident_mb() -> float | None:
    """Resident memory in MB, where the system tells (Linux)."""
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None

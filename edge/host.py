"""Describe the machine: board, processor, memory, sensors, load by other programs, package versions.

Every function returns None for what the system does not report. The dictionaries are what benchmarks write to
results.json.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import TypedDict

from edge.opencv import PACKAGES as OPENCV_PACKAGES

if sys.platform != "win32":
    import pwd

PACKAGES = ("numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", *OPENCV_PACKAGES)
LOAD_INTERVAL_S = 1.0  # over which the load by other programs is measured
BUSY = 0.1  # load by other programs from which measured times are not to be trusted
PROCESSOR_SENSORS = ("coretemp", "k10temp", "cpu_thermal", "zenpower")  # names of drivers in /sys/class/hwmon
FIRMWARE_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"  # where there is no vcgencmd
THROTTLING = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}  # vcgencmd's bits


class Sensors(TypedDict):
    """Hold sensor values that change while a program runs."""

    temperature_c: float | None
    clock_mhz: float | None
    throttled: list[str] | None  # why a Raspberry Pi runs slower now; None on other machines


class Host(Sensors):
    """Describe a machine and its software."""

    board: str | None
    processor: str | None
    machine: str  # architecture, as x86_64 or aarch64
    cores: int
    governor: str | None
    memory_mb: int | None
    system: str
    python: str
    packages: dict[str, str]  # version by name, of those installed
    used_by_others: float | None  # share of all cores, 0..1


def describe() -> Host:
    """Return all facts about this machine. Takes a second, to measure the load by other programs."""
    return {
        "board": board(),
        "processor": processor(),
        "machine": platform.machine(),
        "cores": cores(),
        "governor": governor(),
        "memory_mb": memory_mb(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(),
        "used_by_others": load_by_others(),
        **sensors(),
    }


def user_name(number: int) -> str:
    """Return the name of a Unix user; one that the system does not know, as in a container, goes by the number."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def board() -> str | None:
    """Return the name of a single-board computer, as `Raspberry Pi 4 Model B Rev 1.4`."""
    return _read("/proc/device-tree/model") or _cpuinfo("Model")  # with a capital: the Pi's kernel


def processor() -> str | None:
    """Return the processor's model name."""
    return _cpuinfo("model name") or _cpuinfo("Model") or platform.processor() or None


def device_id(purpose: str = "") -> str:
    """Return 12 hexadecimal digits that identify this machine for a purpose, and stay the same.

    The machine's own id is confidential (machine-id(5)): only a keyed hash of it is shown. Where there is none, the
    network card's address takes its place.
    """
    import hmac  # here and below: what few commands need
    import uuid

    machine = _read("/etc/machine-id") or f"{uuid.getnode():012x}"
    return hmac.new(machine.encode(), f"edge-emotion {purpose}".encode(), "sha256").hexdigest()[:12]


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def governor() -> str | None:
    """Return the first core's frequency governor, as `performance` or `ondemand` (Linux)."""
    return _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def memory_mb() -> int | None:
    """Return the size of the main memory in MB (Linux)."""
    total = _field("/proc/meminfo", "MemTotal")  # in KiB
    return int(total.split()[0]) * 1024 // 1_000_000 if total else None


def available_mb() -> int | None:
    """Return the memory that programs can still get, in MB (Linux)."""
    available = _field("/proc/meminfo", "MemAvailable")  # in KiB
    return int(available.split()[0]) * 1024 // 1_000_000 if available else None


def resident_mb() -> float | None:
    """Return the resident memory of this process in MB (Linux)."""
    statm = _read("/proc/self/statm")
    return round(int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1) if statm else None


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages among PACKAGES."""
    from importlib import metadata

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def sensors() -> Sensors:
    """Return the temperature in °C, the clock of the first core in MHz, and why a Raspberry Pi throttles."""
    return {"temperature_c": temperature_c(), "clock_mhz": _clock_mhz(), "throttled": throttling()[0]}


def temperature_c() -> float | None:
    """Return the temperature of the processor in °C (Linux)."""
    zones = sorted(Path("/sys/class/thermal").glob("thermal_zone*/temp"))
    chips = [chip for chip in Path("/sys/class/hwmon").glob("hwmon*") if _read(f"{chip}/name") in PROCESSOR_SENSORS]
    files = [*zones, *(chip / "temp1_input" for chip in chips)]
    first = next(filter(None, (_read(str(file)) for file in files)), None)  # in thousandths of a degree
    return int(first) / 1000 if first else None


def throttling() -> tuple[list[str] | None, list[str] | None]:
    """Return why a Raspberry Pi throttles now, and why it has done since boot; None on other machines."""
    answer = _vcgencmd("get_throttled") or f"={_read(FIRMWARE_THROTTLED) or ''}"
    return parse_throttled(answer), parse_throttled(answer, since_boot=True)


def _clock_mhz() -> float | None:
    if frequency := _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"):  # in kHz
        return int(frequency) / 1000
    frequency = _cpuinfo("cpu MHz")
    return float(frequency) if frequency else None


def parse_throttled(answer: str | None, since_boot: bool = False) -> list[str] | None:
    """Return the causes that `vcgencmd get_throttled` reports, as in `throttled=0x50005`.

    The causes of now or, in bits 16 and up, those since boot.
    """
    try:
        bits = int((answer or "").partition("=")[2], 16)
    except ValueError:
        return None
    return [cause for bit, cause in THROTTLING.items() if bits >> (bit + 16 * since_boot) & 1]


def _vcgencmd(command: str) -> str | None:
    """Return the answer of a Raspberry Pi's firmware."""
    import subprocess

    if not shutil.which("vcgencmd"):
        return None
    try:
        return subprocess.run(["vcgencmd", command], capture_output=True, text=True, timeout=5).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None


def load_by_others() -> float | None:
    """Return the share of all cores that is busy while this process sleeps for a second, 0..1 (Linux)."""
    before = _ticks()
    time.sleep(LOAD_INTERVAL_S)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return 1 - (after[0] - before[0]) / (after[1] - before[1])


def _ticks() -> tuple[int, int] | None:
    """Return the idle ticks and all ticks of the cores since the start; waiting for disks counts as idle."""
    line = (_read("/proc/stat") or "").partition("\n")[0]
    ticks = [int(count) for count in line.split()[1:9]]  # user, nice, system, idle, iowait, irq, softirq, steal
    return (ticks[3] + ticks[4], sum(ticks)) if len(ticks) >= 5 else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text().strip("\0\n ") or None
    except OSError:
        return None


def _cpuinfo(key: str) -> str | None:
    return _field("/proc/cpuinfo", key)


def _field(path: str, key: str) -> str | None:
    """Return the value of the first `key: value` line of a file."""
    for line in (_read(path) or "").splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return None

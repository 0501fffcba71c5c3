"""Check what this machine has and lacks, and name the command that mends each fault.

edge-emotion doctor             one line for each check
edge-emotion doctor --fetch     downloads the model of the detector blazeface first
edge-emotion doctor --json      the same for programs

The exit status is 0 if all is well, 1 with warnings, 2 with a fault that prevents running.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from edge import host
from edge.arguments import ArgumentParser
from edge.doctor import condition, devices, software
from edge.doctor.finding import Finding, Level
from edge.doctor.probe import Facts, probe
from edge.errors import exit_status
from edge.opencv import PACKAGES as OPENCV_PACKAGES
from edge.sources.camera_list import list_cameras
from edge.support import this_machine
from edge.untrusted import printable

STATUS = {Level.OK: 0, Level.NOTE: 0, Level.WARNING: 1, Level.FAULT: 2}
ALWAYS_THERE = ("yunet", "haar")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = ArgumentParser("edge-emotion doctor", __doc__)
    parser.add_argument("--fetch", action="store_true", help="download the model of the detector blazeface")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    return exit_status(lambda: _run(args.fetch, args.json))


def _run(fetch: bool, as_json: bool) -> int:
    findings = []
    for finding in examine(fetch):
        findings.append(finding)
        if not as_json:
            print("\n".join(lines(finding)), flush=True)
    status = max(STATUS[finding.level] for finding in findings)
    if as_json:
        print(json.dumps({"status": status, "findings": [_as_dict(finding) for finding in findings]}, indent=2))
    else:
        print(summary(findings))
    return status


def examine(fetch: bool = False) -> Iterator[Finding]:
    """Yield the findings about this machine, as they come."""
    machine = this_machine()
    runtime = probe("runtime")
    numpy = probe("numpy")
    opencv = probe("opencv")
    is_pi = "Raspberry Pi" in (machine.board or "")
    has_display = not sys.platform.startswith("linux") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
    yield software.check_machine(machine, "error" not in runtime)
    managed = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    yield software.check_python(machine, sys.prefix, sys.prefix == sys.base_prefix and managed.exists())
    yield software.check_numpy(numpy, "desktop" if has_display else "headless")
    packages = host.package_versions()
    installed = [f"{name} {packages[name]}" for name in OPENCV_PACKAGES if name in packages]
    yield software.check_opencv(opencv, installed, has_display)
    yield software.check_runtime(runtime, machine)
    if "error" not in opencv:
        yield from _detectors(fetch)
    yield from devices.check_cameras(list_cameras(), is_pi)
    if sys.platform.startswith("linux"):
        yield devices.check_rights(devices.rights())
    if is_pi:
        yield _picamera2(numpy.get("version", ""))
    if "error" not in opencv:
        yield devices.check_display(opencv["no_window"])
    yield condition.check_heat(host.temperature_c(), *host.throttling())
    yield condition.check_memory(host.memory_mb(), host.available_mb())
    folder = Path.cwd()
    yield condition.check_space(shutil.disk_usage(folder).free // 1_000_000, str(folder))


def _detectors(fetch: bool) -> Iterator[Finding]:
    facts = {name: probe("detector", name) for name in ALWAYS_THERE}
    works = {name: facts[name].get("faces", 0) > 0 for name in ALWAYS_THERE}
    for name in ALWAYS_THERE:
        yield software.check_detector(name, facts[name], any(works[other] for other in ALWAYS_THERE if other != name))
    yield software.check_detector("blazeface", _blazeface(fetch), True)
    if find_spec("mediapipe"):
        yield software.check_detector("mediapipe", probe("detector", "mediapipe"), True)


def _blazeface(fetch: bool) -> Facts:
    """Return the facts about BlazeFace, whose model is downloaded only if that is asked for."""
    from edge.detectors.blazeface_model import is_cached

    if fetch:
        fetched = probe("fetch")
        if "error" in fetched:
            return fetched
    elif not is_cached():
        return {"error": "its model is not there yet (optional, 230 kB); run: edge-emotion doctor --fetch"}
    return probe("detector", "blazeface")


def _picamera2(numpy: str) -> Finding:
    configuration = Path(sys.prefix) / "pyvenv.cfg"
    sees_system = configuration.is_file() and "include-system-site-packages = true" in configuration.read_text()
    has_it = (devices.SYSTEM_PACKAGES / "picamera2").exists()
    environment = sys.prefix if sys.prefix != sys.base_prefix else None
    return devices.check_picamera2(probe("picamera2"), numpy, has_it, sees_system, environment)


def lines(finding: Finding) -> list[str]:
    """Return the lines for a finding, with its command in one of its own."""
    text = printable(f"{finding.level.value:7}  {finding.check:18}  {finding.text}")
    return [text, *([printable(f"{'':7}  {'':18}  -> {finding.fix}")] if finding.fix else [])]


def summary(findings: Sequence[Finding]) -> str:
    """Return the last line."""
    faults = sum(finding.level is Level.FAULT for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if faults:
        return f"{faults} fault{'s' if faults > 1 else ''}: follow the arrows, from the top"
    if warnings:
        return f"it runs here; {warnings} warning{'s' if warnings > 1 else ''}"
    return "all is well; try: edge-emotion demo"


def _as_dict(finding: Finding) -> dict[str, str]:
    return {"check": finding.check, "level": finding.level.value, "text": finding.text, "fix": finding.fix}

"""Check the machine, Python, numpy, OpenCV, the runtime and the detectors.

Every function judges facts that it is given, so that a test can give it those of any machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.doctor.finding import Finding, Level, from_error
from edge.doctor.probe import Facts
from edge.support import Machine, machine_problem, python_problem

MIN_OPENCV, BEYOND_OPENCV = (4, 10), (5, 0)
SAFE_OPENCV = (4, 12)
DETECTOR_FIX = "pip install --upgrade '.[headless]'"
OPTIONAL_DETECTORS = ("blazeface", "mediapipe")


def check_machine(machine: Machine, runtime_works: bool) -> Finding:
    """Judge the machine; one that is not supported, but computes right, is only untested."""
    described = f"{machine.board or machine.system}, {machine.machine}, {machine.bits}-bit"
    problem = machine_problem(machine)
    if problem is None:
        return Finding("machine", Level.OK, described)
    if runtime_works:
        return Finding("machine", Level.WARNING, f"{described}: works, but is not tested ({problem.text})", problem.fix)
    return Finding("machine", Level.FAULT, f"{described}: {problem.text}", problem.fix)


def check_python(machine: Machine, place: str, is_managed: bool) -> Finding:
    """Judge the Python, which is at `place`; into one that is managed by the system, pip installs nothing."""
    problem = python_problem(machine)
    if problem:
        return Finding("python", Level.FAULT, problem.text, problem.fix)
    described = f"{machine.implementation} {machine.python[0]}.{machine.python[1]} in {place}"
    if is_managed:
        fix = "sudo apt install python3-venv && python3 -m venv env && . env/bin/activate"
        return Finding("python", Level.NOTE, f"{described}, the system's own: pip needs an environment", fix)
    return Finding("python", Level.OK, described)


def check_numpy(facts: Facts, extra: str) -> Finding:
    """Judge numpy."""
    if "error" in facts:
        again = "" if "No module named 'numpy'" in facts["error"] else "--force-reinstall numpy "
        return Finding("numpy", Level.FAULT, facts["error"], f"pip install {again}'.[{extra}]'")
    return Finding("numpy", Level.OK, facts["version"])


def check_opencv(facts: Facts, installed: Sequence[str], has_display: bool) -> Finding:
    """Judge OpenCV; `installed` are the packages, of which there should be one, as name and version."""
    names = list(dict.fromkeys(item.split()[0] for item in installed))
    extra = "mediapipe" if any("contrib" in name for name in names) else "desktop" if has_display else "headless"
    again = f"pip uninstall -y {' '.join(names)} && " if names else ""  # of the system's own, pip knows nothing
    again += f"pip install '.[{extra}]'"
    if "error" in facts:
        return from_error("opencv", Level.FAULT, facts["error"], f"pip install '.[{extra}]'")
    version = tuple(int(part) for part in facts["version"].split(".")[:2])
    described = f"{facts['version']} ({', '.join(installed) or 'not from pip'}), windows: {facts['gui']}"
    if not MIN_OPENCV <= version < BEYOND_OPENCV:
        return Finding("opencv", Level.FAULT, f"expected OpenCV from 4.10, below 5, found {described}", again)
    if len(names) > 1:
        return Finding("opencv", Level.WARNING, f"packages that overwrite each other: {described}", again)
    if has_display and facts["gui"] == "NONE":
        return Finding("opencv", Level.NOTE, f"{described}; it opens no window", again)
    if version < SAFE_OPENCV:
        upgrade = f"pip install --upgrade '.[{extra}]'"
        return Finding(
            "opencv", Level.NOTE, f"{described}; let it read no JPEG 2000 of strangers (CVE-2025-53644)", upgrade
        )
    return Finding("opencv", Level.OK, described)


def check_runtime(facts: Facts, machine: Machine) -> Finding:
    """Judge the runtime by its answer to the built-in face."""
    if "error" not in facts:
        described = f"{facts['name']} {facts['version']}, {facts['ms']} ms a face; {facts['answer']}"
        return Finding("runtime", Level.OK, described)
    problem = machine_problem(machine) or python_problem(machine)
    if problem:
        return Finding("runtime", Level.FAULT, f"{problem.text} ({facts['error']})", problem.fix)
    return from_error("runtime", Level.FAULT, facts["error"], "pip install --upgrade ai-edge-litert")


def check_detector(name: str, facts: Facts, others_work: bool) -> Finding:
    """Judge a detector by the faces that it finds in the built-in portrait.

    One that is optional, or that another one replaces, is no fault.
    """
    check = f"detector {name}"
    if "error" not in facts and facts["faces"] >= 1:
        return Finding(check, Level.OK, f"finds the face of the built-in portrait, {facts['ms']} ms")
    level = Level.NOTE if name in OPTIONAL_DETECTORS else Level.WARNING if others_work else Level.FAULT
    if "error" in facts:
        return from_error(check, level, facts["error"], "" if level is Level.NOTE else DETECTOR_FIX)
    return Finding(check, level, "finds no face in the built-in portrait", DETECTOR_FIX)

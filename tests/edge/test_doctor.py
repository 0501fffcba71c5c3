"""Test what `edge-emotion doctor` says of machines that no test has: its checks judge facts."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge import host
from edge.doctor import command, condition, devices, probe, software
from edge.doctor.devices import Rights
from edge.doctor.finding import Finding, Level
from edge.sources.camera_list import METADATA, PI_CAMERA, CameraInfo
from edge.support import Machine, machine_problem, python_problem, this_machine
from tests.conftest import ROOT

PI4 = Machine("Linux", "aarch64", 64, (3, 11), glibc=(2, 36), board="Raspberry Pi 4 Model B Rev 1.4")
LAPTOP = Machine("Linux", "x86_64", 64, (3, 12), glibc=(2, 39))
MAC = Machine("Darwin", "arm64", 64, (3, 13), macos=(14, 5))
WINDOWS = Machine("Windows", "AMD64", 64, (3, 12))


@pytest.mark.parametrize("machine", [PI4, LAPTOP, MAC, WINDOWS], ids=["pi", "laptop", "mac", "windows"])
def test_supported_machines_have_no_problem(machine: Machine) -> None:
    assert machine_problem(machine) is None
    assert python_problem(machine) is None


@pytest.mark.parametrize(
    ("machine", "text", "fix"),
    [
        (replace(PI4, bits=32), "32-bit system under a 64-bit kernel", "rpi-imager"),
        (replace(PI4, bits=32, machine="armv7l"), "32-bit system;", "rpi-imager"),
        (replace(PI4, bits=32, machine="armv8l"), "32-bit system", "rpi-imager"),
        (
            replace(PI4, bits=32, machine="armv6l", board="Raspberry Pi Zero W Rev 1.1"),
            "Zero W Rev 1.1 has an ARMv6",
            "2 W",
        ),
        (replace(LAPTOP, bits=32), "32-bit x86_64", "64-bit Linux"),
        (replace(LAPTOP, bits=32, machine="i686"), "32-bit i686", "64-bit Linux"),
        (replace(LAPTOP, machine="riscv64"), "64-bit riscv64", "x86_64 or aarch64"),
        (replace(LAPTOP, glibc=None), "no glibc", "bookworm"),
        (replace(LAPTOP, glibc=(2, 17)), "found 2.17", "Debian 12"),
        (replace(MAC, machine="x86_64"), "Intel Mac", "docker run"),
        (replace(MAC, machine="x86_64", rosetta=True), "Intel, on Apple silicon", "arch -arm64"),
        (replace(MAC, macos=(11, 7)), "macOS 12, found 11.7", "softwareupdate"),
        (replace(WINDOWS, bits=32), "32-bit Python", "winget install"),
        (replace(WINDOWS, machine="ARM64"), "Windows on ARM64", "--architecture x64"),
        (replace(LAPTOP, system="FreeBSD"), "FreeBSD", "Linux"),
    ],
)
def test_machines_without_packages_are_refused_with_what_to_do(machine: Machine, text: str, fix: str) -> None:
    problem = machine_problem(machine)
    assert problem
    assert text in problem.text
    assert fix in problem.fix
    assert software.check_machine(machine, runtime_works=False).level is Level.FAULT
    assert software.check_machine(machine, runtime_works=True).level is Level.WARNING, "it works all the same"


@pytest.mark.parametrize(
    ("machine", "found"),
    [
        (replace(LAPTOP, python=(3, 9)), "CPython 3.9"),
        (replace(LAPTOP, python=(3, 15)), "CPython 3.15"),
        (replace(LAPTOP, python=(3, 14), free_threaded=True), "CPython 3.14, free-threaded"),
        (replace(LAPTOP, implementation="PyPy"), "PyPy 3.12"),
    ],
)
def test_pythons_without_packages_are_refused_with_the_command(machine: Machine, found: str) -> None:
    assert (problem := python_problem(machine))
    assert problem.text == f"expected CPython 3.10 to 3.14, found {found}"
    assert "uv venv" in problem.fix
    other = python_problem(replace(machine, other_python="/usr/bin/python3.12"))
    assert other
    assert other.fix.startswith("/usr/bin/python3.12 -m venv env && ")


def test_environment_is_needed_where_the_system_manages_its_python() -> None:
    assert software.check_python(LAPTOP, "/usr", is_managed=False).level is Level.OK
    assert "python3 -m venv env" in software.check_python(LAPTOP, "/usr", is_managed=True).fix


def opencv(version: str = "4.12.0", gui: str = "GTK3") -> dict[str, Any]:
    return {"version": version, "gui": gui, "yunet": True, "haar": True, "no_window": None}


DESKTOP = "opencv-python 4.12.0.88"
HEADLESS = "opencv-python-headless 4.12.0.88"


@pytest.mark.parametrize(
    ("facts", "installed", "has_display", "level", "fix"),
    [
        (opencv(), [DESKTOP], True, Level.OK, ""),
        (opencv(gui="NONE"), [HEADLESS], False, Level.OK, ""),
        (
            opencv(gui="NONE"),
            [HEADLESS],
            True,
            Level.NOTE,
            "pip uninstall -y opencv-python-headless && pip install '.[desktop]'",
        ),
        (
            opencv(),
            [DESKTOP, HEADLESS],
            False,
            Level.WARNING,
            "pip uninstall -y opencv-python opencv-python-headless && ",
        ),
        (opencv("5.0.0"), ["opencv-python 5.0.0.1"], False, Level.FAULT, "pip uninstall -y opencv-python && "),
        (opencv("4.6.0"), [], False, Level.FAULT, "pip install '.[headless]'"),
        (opencv("4.11.0"), ["opencv-python-headless 4.11.0.86"], False, Level.NOTE, "--upgrade"),
        (
            {"error": "needs OpenCV, x; run: pip uninstall -y a, then: pip install b"},
            [],
            False,
            Level.FAULT,
            "-y a && pip install b",
        ),
    ],
)
def test_opencv(facts: dict[str, Any], installed: list[str], has_display: bool, level: Level, fix: str) -> None:
    found = software.check_opencv(facts, installed, has_display)
    assert found.level is level, found
    assert fix in found.fix
    assert "-y  " not in found.fix, "nothing to uninstall"


def test_runtime_is_judged_by_its_answer() -> None:
    facts = {"name": "ai-edge-litert", "version": "2.1", "ms": 3.5, "answer": "answers happy 96.5%"}
    assert "answers happy" in software.check_runtime(facts, PI4).text
    wrong = {"error": "m.tflite: answers happy 25%, expected 97%; install another version of tflite-runtime"}
    assert software.check_runtime(wrong, PI4).fix == "pip install --upgrade ai-edge-litert"
    crash = {"error": probe.ending(-4, "")}
    assert "instructions that this processor does not have" in software.check_runtime(crash, PI4).text
    assert "32-bit" in software.check_runtime(crash, replace(PI4, bits=32)).text


@pytest.mark.parametrize(
    ("name", "facts", "others_work", "level"),
    [
        ("yunet", {"faces": 1, "ms": 5}, True, Level.OK),
        ("yunet", {"error": "x"}, True, Level.WARNING),
        ("yunet", {"faces": 0, "ms": 5}, False, Level.FAULT),
        ("blazeface", {"error": "not there; run: edge-emotion doctor --fetch"}, True, Level.NOTE),
    ],
)
def test_detector_that_can_be_replaced_is_no_fault(
    name: str, facts: dict[str, Any], others_work: bool, level: Level
) -> None:
    assert software.check_detector(name, facts, others_work).level is level


def test_cameras_are_listed_and_what_is_none_is_not() -> None:
    webcam = CameraInfo(0, "HD Webcam", formats={"MJPG": (1920, 1080)})
    found = devices.check_cameras(
        [webcam, CameraInfo(1, "HD Webcam", METADATA), CameraInfo(None, "unicam", PI_CAMERA)], True
    )
    assert [item.text for item in found] == [
        "0: HD Webcam (MJPG 1920x1080)",
        "the Pi's camera module: edge-emotion picamera",
    ]
    (none,) = devices.check_cameras([CameraInfo(1, "HD Webcam", METADATA)], False)
    assert none.level is Level.WARNING
    (dead,) = devices.check_cameras([replace(webcam, trouble="Input/output error")], False)
    assert (dead.level, "Input/output error" in dead.text) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("rights", "level", "fix"),
    [
        (Rights("pi", False, True, True), Level.OK, ""),
        (Rights("root", True, False, False), Level.OK, ""),
        (Rights("pi", False, False, False), Level.NOTE, "sudo usermod -aG video pi"),
        (Rights("pi", False, False, False, ("/dev/video0",)), Level.FAULT, "sudo usermod -aG video pi"),
        (Rights("pi", False, False, True, ("/dev/video0",)), Level.FAULT, "newgrp video"),
        (Rights("pi", False, True, True, ("/dev/video0",)), Level.FAULT, "sudo chmod g+rw /dev/video0"),
    ],
)
def test_right_to_open_cameras(rights: Rights, level: Level, fix: str) -> None:
    found = devices.check_rights(rights)
    assert found.level is level
    assert fix in found.fix


NO_MODULE = "ModuleNotFoundError: No module named 'picamera2'"


@pytest.mark.parametrize(
    ("facts", "numpy", "system_has_it", "sees_system", "level", "fix"),
    [
        ({"cameras": ["imx708"]}, "2.2.1", True, True, Level.OK, ""),
        ({"cameras": []}, "2.2.1", True, True, Level.NOTE, "rpicam-hello --list-cameras"),
        ({"error": NO_MODULE}, "2.2.1", False, False, Level.NOTE, "sudo apt install python3-picamera2"),
        ({"error": NO_MODULE}, "2.2.1", True, False, Level.WARNING, "= true/' '/home/my pi/env/pyvenv.cfg'"),
        ({"error": NO_MODULE}, "2.2.1", True, True, Level.WARNING, "--reinstall"),
        ({"error": "ValueError: numpy.dtype size changed"}, "2.2.1", True, True, Level.WARNING, "'numpy<2'"),
        ({"error": "AttributeError: _ARRAY_API not found"}, "2.2.1", True, True, Level.WARNING, "'numpy<2'"),
        ({"error": "ImportError: numpy.core failed"}, "1.26.4", True, True, Level.WARNING, "'numpy>=2'"),
    ],
)
def test_picamera2_must_be_visible_and_fit_numpy(
    facts: dict[str, Any], numpy: str, system_has_it: bool, sees_system: bool, level: Level, fix: str
) -> None:
    found = devices.check_picamera2(facts, numpy, system_has_it, sees_system, "/home/my pi/env")
    assert found.level is level
    assert fix in found.fix


@pytest.mark.parametrize(
    ("celsius", "answer", "level", "text"),
    [
        (50.0, "throttled=0x0", Level.OK, "50 °C"),
        (None, None, Level.OK, "unknown"),
        (50.0, "throttled=0x50005", Level.WARNING, "now: under-voltage, throttled"),
        (50.0, "throttled=0x50000", Level.WARNING, "since boot: under-voltage, throttled"),
        (83.0, "throttled=0x0", Level.WARNING, "83 °C"),
    ],
)
def test_heat_and_power(celsius: float | None, answer: str | None, level: Level, text: str) -> None:
    now, since_boot = host.parse_throttled(answer), host.parse_throttled(answer, since_boot=True)
    found = condition.check_heat(celsius, now, since_boot)
    assert found.level is level
    assert text in found.text
    assert ("power supply" in found.fix) == ("under-voltage" in found.text)


def test_memory_and_space() -> None:
    assert condition.check_memory(8000, 100).level is Level.WARNING
    assert "swapon" in condition.check_memory(8000, 100).fix
    assert condition.check_memory(None, None).level is Level.OK
    assert condition.check_space(10, "/home").level is Level.WARNING
    assert condition.check_space(10_000, "/home").level is Level.OK


def test_crash_of_a_library_is_reported_not_suffered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe.ending(-11, "") == "crashes (SIGSEGV)"
    assert probe.ending(1, "a\nKeyError: 'b'\n") == "KeyError: 'b'"
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.01)
    assert "does not answer" in probe.probe("numpy")["error"]


@pytest.mark.parametrize(
    ("levels", "status"),
    [([Level.OK, Level.NOTE], 0), ([Level.OK, Level.WARNING], 1), ([Level.WARNING, Level.FAULT], 2)],
)
def test_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], levels: list[Level], status: int
) -> None:
    findings = [
        Finding("check", level, f"a {level.value}", "do it" if level is Level.FAULT else "") for level in levels
    ]
    monkeypatch.setattr(command, "examine", lambda fetch: iter(findings))
    assert command.main([]) == status
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(levels) + 1 + levels.count(Level.FAULT)
    assert command.main(["--json"]) == status
    values = json.loads(capsys.readouterr().out)
    assert values["status"] == status
    assert [item["level"] for item in values["findings"]] == [level.value for level in levels]


@pytest.mark.slow
def test_this_machine_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert machine_problem(this_machine()) is None
    assert command.main(["--json"]) in (0, 1)
    found = {item["check"]: item for item in json.loads(capsys.readouterr().out)["findings"]}
    assert found["runtime"]["level"] == found["detector yunet"]["level"] == "ok"
    assert "to the built-in face" in found["runtime"]["text"]


def test_doctor_works_without_any_package(tmp_path: Path) -> None:
    """Run it in an environment with nothing installed, as on a fresh system."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=os.name == "posix")
    python = next((tmp_path / "env").glob("[bS]*/python*"))
    call = [python, ROOT / "edge/run.py", "doctor", "--json"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    fixes = {item["check"]: item["fix"] for item in json.loads(done.stdout)["findings"] if item["level"] == "fault"}
    assert set(fixes) == {"numpy", "opencv", "runtime"}
    assert all("pip install" in fix for fix in fixes.values()), fixes
    call = [python, ROOT / "edge/run.py", "demo"]
    run = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1), run.stderr
    assert "needs numpy, which is not installed; run: pip install '.[headless]'" in run.stderr

"""Specify the command line: entry points, hints, refused options, and what is imported."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edge.__main__
import edge.run
from edge.sources.demo import PHOTOGRAPH
from tests.conftest import ROOT
from tests.edge.command import HEADLESS, run


def exit_status_of(main: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Return the exit status, also where argparse ends the program."""
    try:
        return main(arguments)
    except SystemExit as end:
        return int(str(end.code))


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        ("edge/run.py", ["demo"]),
        ("edge/run.py", ["run", "--source", "demo"]),
        ("-m edge", ["demo"]),
        ("-m edge", ["run", "demo"]),
        ("-m edge.run", ["--source", "demo"]),
    ],
)
def test_every_entry_point_and_form_of_the_source_runs_the_command(entry: str, arguments: list[str]) -> None:
    done = run(*arguments, "--max-frames", 2, "--no-display", "--events", "-", entry=entry)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1]
    assert "2 frames" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("dmeo", "found 'dmeo'; did you mean demo?"),
        ("rnu", "found 'rnu'; did you mean run?"),
        ("--camera 0", "unrecognized arguments: --camera; did you mean --source 0?"),
        ("--input=x.mp4", "did you mean --source x.mp4?"),
        ("--max-frame 3 --colour red", "unrecognized arguments: --colour;"),
        ("demo --source 0", "expected one source, found demo and --source 0"),
        ("a.jpg b.jpg", "expected one source, found a.jpg and b.jpg"),
        ("--source= --record out.mp4", "expected a source, found an empty text"),
        ("nowhere.mp4", "no source 'nowhere.mp4'; expected demo, picamera"),
    ],
)
def test_a_slip_gets_a_one_line_hint(capfd: pytest.CaptureFixture[str], arguments: str, hint: str) -> None:
    assert exit_status_of(edge.__main__.main, arguments.split()) == 2
    stderr = capfd.readouterr().err
    assert stderr.count("\n") == 1
    assert hint in stderr


def test_version_is_that_of_the_project(capfd: pytest.CaptureFixture[str]) -> None:
    assert edge.__main__.main(["--version"]) == 0
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert capfd.readouterr().out == f"edge-emotion {version[1]}\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--source demo --resolution 640x480", "expected a camera"),
        ("--source 0 --resolution 640", "as 1280x720"),
        ("--source 0 --resolution 0x480", "as 1280x720"),
        ("--source 0 --fourcc MJ", "four characters"),
        ("--source 0 --fps 0", "above 0"),
        ("--source p --realtime", "--realtime"),
        ("--source p/*.png", "found none"),
        ("--source p/../*/*.jpg --record p", "other than the pictures' own folder"),
        ("--source demo --events a.csv --events ./a.csv", "other outputs"),
        ("--source demo --record a.avi --stats a.avi", "other outputs"),
        ("--source demo --events - --events -", "other outputs, found -"),
        ("--source demo --events nowhere/a.csv --record a.avi --stats s.json", "cannot write"),
    ],
)
def test_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: str, expected: str
) -> None:
    (tmp_path / "p").mkdir()
    shutil.copy(PHOTOGRAPH, tmp_path / "p" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    status = exit_status_of(edge.run.main, [*arguments.split(), "--no-display"])
    stderr = capfd.readouterr().err
    assert (status, stderr.count("\n")) == (2, 1)
    assert expected in stderr
    assert [str(item.relative_to(tmp_path)) for item in sorted(tmp_path.rglob("*"))] == ["p", "p/a.jpg"]


@pytest.mark.parametrize("option", ["--events", "--stats"])
@pytest.mark.parametrize("name", ["a.jpg", "model.tflite", "clip.mp4"])
def test_text_never_overwrites_a_picture_model_or_video(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], option: str, name: str
) -> None:
    (tmp_path / name).write_bytes(b"precious")
    assert edge.run.main(["--source", "demo", "--no-display", option, str(tmp_path / name)]) == 2
    assert "with a text file's name" in capfd.readouterr().err
    assert (tmp_path / name).read_bytes() == b"precious"


def device_modules() -> list[str]:
    """Return the modules of edge and benchmarks, and those of train that the benchmarks import."""
    packages = [importlib.import_module(name) for name in ("edge", "benchmarks")]
    modules = [
        item.name for package in packages for item in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    assert "edge.backends.litert" in modules
    return [*modules, "train.data", "train.metrics", "train.evaluate", "train.runs"]


def test_a_device_imports_no_heavy_package() -> None:
    blocked = ("tensorflow", "keras", "torch", "jax", "sklearn", "matplotlib", "onnx", "onnxruntime", "rich", "scipy")
    program = f"""
import importlib, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
for module in {device_modules()!r}:
    importlib.import_module(module)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("entry", ["edge/run.py", "-m edge", "-m edge.run"])
def test_a_missing_opencv_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.setitem(HEADLESS, "PYTHONPATH", str(tmp_path))
    done = run("demo", entry=entry)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "libGL" in done.stderr
    assert "pip install" in done.stderr

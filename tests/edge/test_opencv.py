"""Test that a missing or broken OpenCV is one clear line, and never ends a host process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

HIDE_REAL_OPENCV = """
import sys
from importlib.machinery import PathFinder
from pathlib import Path

class Finder:
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [str(Path(__file__).parent)]) if name == "cv2" else None

sys.meta_path.insert(0, Finder)
"""
IMPORT_ALL = """
import importlib, pkgutil, sys
import edge
from edge.errors import MissingExtra
for module in pkgutil.walk_packages(edge.__path__, "edge."):
    if module.name != "edge.__main__":
        importlib.import_module(module.name)
assert "cv2" not in sys.modules
from edge.reader import EmotionReader
try:
    EmotionReader(detector="haar")
except MissingExtra as error:
    print(error)
"""


def run_python(folder: Path, *arguments: str, display: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with a folder first on its path, with or without a display."""
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PYTHONPATH"] = str(folder)
    if display:
        environment["DISPLAY"] = display
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def add_package(folder: Path, name: str, version: str) -> None:
    """Write what pip keeps of an installed package."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def block(folder: Path) -> None:
    (folder / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")


def half_remove(folder: Path) -> None:
    """Leave what remains of two packages in one folder after one of them was uninstalled."""
    (folder / "cv2" / "qt").mkdir(parents=True)
    add_package(folder, "opencv-python", "4.10.0.84")
    (folder / "sitecustomize.py").write_text(HIDE_REAL_OPENCV)


def half_overwrite(folder: Path) -> None:
    """Leave a module of one version that uses a name of another, in an error of several lines."""
    (folder / "cv2").mkdir()
    (folder / "cv2" / "__init__.py").write_text("raise AttributeError('no attribute _registerMatType\\nsecond line')")
    add_package(folder, "opencv-python", "4.10.0.84")


def install_twice(folder: Path) -> None:
    (folder / "cv2").mkdir()
    (folder / "cv2" / "__init__.py").write_text("class VideoCapture: ...")
    add_package(folder, "opencv-python", "4.10.0.84")
    add_package(folder, "opencv-contrib-python", "4.13.0.92")


CASES = {"blocked": block, "half removed": half_remove, "half overwritten": half_overwrite, "twice": install_twice}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "arguments",
    [
        ("edge/run.py", "--source", "demo", "--no-display"),
        ("-m", "edge", "--source", "demo", "--no-display"),
        ("-c", "import sys; from edge.run import main; sys.exit(main(['--source', 'demo', '--no-display']))"),
    ],
    ids=["script", "module", "console command"],
)
def test_commands_end_in_one_line(tmp_path: Path, case: str, arguments: tuple[str, ...]) -> None:
    CASES[case](tmp_path)
    result = run_python(tmp_path, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: needs OpenCV, ")
    assert result.stderr.count("\n") == 1
    assert "pip install '.[" in result.stderr


@pytest.mark.parametrize(
    ("case", "problem", "command"),
    [
        ("blocked", "which cannot be imported here (libGL.so.1: cannot open", "pip install '.[headless]'"),
        ("half removed", "/cv2 holds only remains", "pip uninstall -y opencv-python"),
        ("half overwritten", "(no attribute _registerMatType)", "pip uninstall -y opencv-python"),
        ("twice", "opencv-python 4.10.0.84, opencv-contrib-python 4.13.0.92", "then: pip install '.[mediapipe]'"),
    ],
)
def test_message_names_the_problem_and_the_commands(tmp_path: Path, case: str, problem: str, command: str) -> None:
    CASES[case](tmp_path)
    result = run_python(tmp_path, "-c", "from edge.opencv import load_opencv; load_opencv()")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("edge.errors.MissingExtra: needs OpenCV, ")
    assert problem in last
    assert command in last


def test_modules_are_importable_and_the_api_raises(tmp_path: Path) -> None:
    block(tmp_path)
    result = run_python(tmp_path, "-c", IMPORT_ALL)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("needs OpenCV, which cannot be imported here")


def test_two_packages_of_one_version_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "__init__.py").write_text("class VideoCapture: ...")
    add_package(tmp_path, "opencv-python", "4.10.0.84")
    add_package(tmp_path, "opencv-contrib-python", "4.10.0.82")  # the last number is that of the package's build
    result = run_python(tmp_path, "-c", "from edge.opencv import cv2; print(cv2.VideoCapture)")
    assert result.returncode == 0, result.stderr


def test_desktop_build_is_recommended_where_there_is_a_display(tmp_path: Path) -> None:
    half_remove(tmp_path)
    result = run_python(tmp_path, "-c", "from edge.opencv import cv2; cv2.imread", display=":0")
    assert "then: pip install '.[desktop]'" in result.stderr

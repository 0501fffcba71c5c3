"""Add parts to a copy of the package as CONTRIBUTING describes: one class and one row; for a sink, one argument."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SINK = """
from pathlib import Path

from edge.sinks.base import Delivery, Sink


class Count(Sink):
    delivery = Delivery.{delivery}
    is_watched = {is_watched}

    def __init__(self, target, context):
        self.name = target
        self.frames = 0

    def write(self, frame, readings):
        self.frames += 1

    def __exit__(self, *_):
        Path(self.name).write_text(str(self.frames))
"""
DETECTOR = """
from edge.detectors.base import Detector
from edge.values import Box, Face


class Fixed(Detector):
    name = "fixed"
    detect_interval = 1

    def __init__(self, model):
        self.invoke = self.detect

    def detect(self, image, smallest=None):
        return [Face(Box(0, 0, 40, 40))]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the package."""
    shutil.copytree(ROOT / "edge", tmp_path / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def insert_after(path: Path, line: str, addition: str) -> None:
    """Insert a line after the one that begins with `line`."""
    lines = path.read_text().splitlines()
    (position,) = (i for i, text in enumerate(lines) if text.startswith(line))
    path.write_text("\n".join([*lines[: position + 1], addition, *lines[position + 1 :]]) + "\n")


def add_sink(checkout: Path, delivery: str = "EVERY_FRAME", is_watched: bool = False) -> None:
    (checkout / "edge/sinks/count.py").write_text(SINK.format(delivery=delivery, is_watched=is_watched))
    insert_after(checkout / "edge/sink.py", "SINKS = {", '    "count": "edge.sinks.count:Count",')
    insert_after(
        checkout / "edge/options.py", '    parser.add_argument("--no-display"', '    parser.add_argument("--count")'
    )


def run_demo(checkout: Path, *arguments: str) -> dict[str, object]:
    """Run the demo for 15 frames and return its statistics."""
    command = [sys.executable, "edge/run.py", "demo", "--max-frames", "15", "--no-display", "--stats", "stats.json"]
    done = subprocess.run([*command, *arguments], cwd=checkout, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    stats: dict[str, object] = json.loads((checkout / "stats.json").read_text())
    return stats


@pytest.mark.parametrize("delivery", ["EVERY_FRAME", "MAIN_THREAD"])
def test_a_new_sink_takes_one_class_one_row_and_one_argument(checkout: Path, delivery: str) -> None:
    add_sink(checkout, delivery)
    run_demo(checkout, "--count", "frames.txt")
    assert (checkout / "frames.txt").read_text() == "15"


def test_a_sink_that_is_watched_paces_the_recording(checkout: Path) -> None:
    add_sink(checkout, "NEWEST", is_watched=True)
    stats = run_demo(checkout, "--count", "frames.txt")
    assert float(str(stats["fps"])) < 40  # the demo has 30
    assert 1 <= int((checkout / "frames.txt").read_text()) <= 15


def test_a_new_detector_takes_one_class_and_one_row(checkout: Path) -> None:
    (checkout / "edge/detectors/fixed.py").write_text(DETECTOR)
    insert_after(checkout / "edge/detector.py", "DETECTORS = {", '    "fixed": "edge.detectors.fixed:Fixed",')
    stats = run_demo(checkout, "--detector", "fixed", "--events", "events.jsonl")
    assert (stats["detector"], stats["detections"]) == ("fixed", 15)
    first = json.loads((checkout / "events.jsonl").read_text().splitlines()[0])
    assert [face["box"] for face in first["faces"]] == [[0, 0, 40, 40]]

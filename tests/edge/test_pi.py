"""Test the lean profile on a Raspberry Pi's processor: an arm64 Debian under emulation, which needs root and a tool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.preprocess import crop, to_input
from edge.sources.demo import demo_images
from tests.conftest import ROOT, shared

pytestmark = pytest.mark.slow

FACES = 32
MAX_BOX_DIFFERENCE = 4  # pixels: a grey level of the video decoder can move a detected box by a step
RUN_MODEL = """
import numpy as np
from edge.backend import SHIPPED, open_backend
backend = open_backend(SHIPPED)
np.save("outputs.npy", np.stack([backend.run(face) for face in np.load("faces.npy")]))
"""


class Pi:
    """Run commands in an emulated Debian 12 (Python 3.11) that has a copy of the checkout in /project."""

    def __init__(self, tool: Path, root: Path, project: Path) -> None:
        self.tool = tool
        self.root = root
        self.project = project

    def run(self, *command: str, model: str = "pi4") -> subprocess.CompletedProcess[str]:
        """Run a command on the processor of a pi4 or pi5."""
        call = ["bash", self.tool, "exec", self.root, "--project", self.project, "--model", model, "--", *command]
        return subprocess.run(call, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Pi:
    """Make the emulated system and install the lean profile; skip the test where that is impossible."""
    tool = shared("tools/pi-run.sh")
    if not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip("needs root, to make and enter the emulated system")
    folder = tmp_path_factory.mktemp("pi")
    setup = subprocess.run(["bash", tool, "setup", folder / "root"], capture_output=True, text=True, timeout=900)
    if setup.returncode != 0:  # no network, or no permission to mount
        pytest.skip(f"cannot make an arm64 Debian here: {setup.stderr.strip().splitlines()[-1:]}")
    project = folder / "project"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("models/"):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, project / name)
    emulated = Pi(tool, folder / "root", project)
    installation = emulated.run("pip", "install", "--quiet", ".[headless]")
    assert installation.returncode == 0, installation.stderr
    return emulated


def test_the_demo_runs_without_tensorflow(pi: Pi) -> None:
    demo = pi.run("edge-emotion", "demo", "--max-frames", "12", "--no-display", "--stats", "stats.json")
    assert demo.returncode == 0, demo.stderr
    assert "face 1: happy" in demo.stdout
    assert json.loads((pi.project / "stats.json").read_text())["frames"] == 12
    assert "ModuleNotFoundError" in pi.run("python3", "-c", "import tensorflow").stderr


@pytest.mark.parametrize("detector", ["yunet", "haar"])
def test_a_clip_has_the_same_faces_as_here(pi: Pi, detector: str) -> None:
    clip = shared("media/videos/liveportrait_d18.mp4")
    shutil.copyfile(clip, pi.project / "clip.mp4")
    arguments = ["clip.mp4", "--max-frames", "10", "--no-display", "--detector", detector, "--events"]
    result = pi.run("edge-emotion", *arguments, "pi.jsonl")
    assert result.returncode == 0, result.stderr
    local = run_locally(pi.project, [*arguments, "local.jsonl"])
    emulated = read_events(pi.project / "pi.jsonl")
    assert [len(event["faces"]) for event in emulated] == [len(event["faces"]) for event in local] == [1] * 10
    for one, other in zip(local, emulated, strict=True):
        difference = np.abs(np.subtract(one["faces"][0]["box"], other["faces"][0]["box"])).max()
        assert difference <= MAX_BOX_DIFFERENCE


def run_locally(folder: Path, arguments: list[str]) -> list[dict[str, Any]]:
    """Run the command on this machine and return the events in its last argument."""
    call = [sys.executable, "-m", "edge", *arguments]
    subprocess.run(call, cwd=folder, capture_output=True, timeout=600, check=True)
    return read_events(folder / arguments[-1])


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("model", ["pi4", "pi5"])
def test_the_shipped_model_gives_the_same_outputs_as_here(pi: Pi, model: str) -> None:
    detector = open_detector("haar")
    classifier = Classifier(open_backend(SHIPPED))
    faces = []
    for image in islice(demo_images(300), 0, 300, 300 * 4 // FACES + 1):
        face = crop(image, detector.detect(image)[0].box)
        variants = [255 - face, face[::-1], np.roll(face, len(face) // 3, axis=0)]  # for a variety of outputs
        faces += [face, *variants]
    pixels = np.stack([to_input(face, classifier.card.input_size) for face in faces])
    assert len(pixels) == FACES
    np.save(pi.project / "faces.npy", pixels)
    result = pi.run("python3", "-c", RUN_MODEL, model=model)
    assert result.returncode == 0, result.stderr
    local = np.stack([classifier.backend.run(face) for face in pixels])
    assert len({row.argmax() for row in local}) > 1
    np.testing.assert_array_equal(np.load(pi.project / "outputs.npy"), local)

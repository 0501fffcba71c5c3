"""The lean profile on the Pi's processor: an arm64 Debian under emulation, where the tool and the rights are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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

FACES = 32
READ_FACES = """
import numpy as np
from edge.backend import SHIPPED, open_backend
backend = open_backend(SHIPPED)
np.save("outputs.npy", np.stack([backend.run(face) for face in np.load("faces.npy")]))
"""


class Pi:
    """A Raspberry Pi 4's Debian (bookworm, Python 3.11) with a copy of the checkout in /project."""

    def __init__(self, tool: Path, root: Path, project: Path) -> None:
        self.tool, self.root, self.project = tool, root, project

    def run(self, *command: str, model: str = "pi4") -> subprocess.CompletedProcess[str]:
        call = ["bash", self.tool, "exec", self.root, "--project", self.project, "--model", model, "--", *command]
        return subprocess.run(call, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Pi:
    tool = shared("tools/pi-run.sh")
    if not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip("needs root, to make and enter another Debian")
    folder = tmp_path_factory.mktemp("pi")
    made = subprocess.run(["bash", tool, "setup", folder / "root"], capture_output=True, text=True, timeout=900)
    if made.returncode != 0:  # no network, no right to mount: not ours to mend
        pytest.skip(f"cannot make an arm64 Debian here: {made.stderr.strip().splitlines()[-1:]}")
    project = folder / "project"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("models/"):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, project / name)
    machine = Pi(tool, folder / "root", project)
    installed = machine.run("pip", "install", "--quiet", ".[headless]")
    assert installed.returncode == 0, installed.stderr
    return machine


def test_the_demo_runs_there_without_tensorflow(pi: Pi) -> None:
    done = pi.run("python3", "edge/run.py", "--source", "demo", "--max-frames", "12", "--no-display", "--stats", "s")
    assert done.returncode == 0, done.stderr
    assert "face 1: happy" in done.stdout
    assert json.loads((pi.project / "s").read_text())["frames"] == 12
    assert "ModuleNotFoundError" in pi.run("python3", "-c", "import tensorflow").stderr


def test_a_clip_is_read_there_as_here(pi: Pi) -> None:
    clip = shared("media/videos/liveportrait_d18.mp4")
    shutil.copyfile(clip, pi.project / "clip.mp4")
    arguments = ["edge/run.py", "--source", "clip.mp4", "--max-frames", "10", "--no-display", "--events"]
    assert pi.run("python3", *arguments, "there").returncode == 0
    here = open_events(pi, arguments)
    there = [json.loads(line) for line in (pi.project / "there").read_text().splitlines()]
    assert [len(event["faces"]) for event in there] == [len(event["faces"]) for event in here] == [1] * 10
    for one, other in zip(here, there, strict=True):
        apart = np.abs(np.subtract(one["faces"][0]["box"], other["faces"][0]["box"])).max()
        assert apart <= 4  # a grey level of the decoder's moves Haar's box by a step


def open_events(pi: Pi, arguments: list[str]) -> list[dict[str, Any]]:
    """The same command on this machine."""
    from edge.run import main

    before = Path.cwd()
    os.chdir(pi.project)
    try:
        assert main([*arguments[1:], "here"]) == 0
    finally:
        os.chdir(before)
    return [json.loads(line) for line in (pi.project / "here").read_text().splitlines()]


@pytest.mark.parametrize("model", ["pi4", "pi5"])
def test_the_shipped_model_answers_there_as_here(pi: Pi, model: str) -> None:
    detector, classifier = open_detector("haar"), Classifier(open_backend(SHIPPED))
    faces = []
    for image in islice(demo_images(300), 0, 300, 300 * 4 // FACES + 1):
        face = crop(image, detector.detect(image)[0].box)
        faces += [face, 255 - face, face[::-1], np.roll(face, len(face) // 3, axis=0)]  # others, other answers
    pixels = np.stack([to_input(face, classifier.card.input_size) for face in faces])
    assert len(pixels) == FACES
    np.save(pi.project / "faces.npy", pixels)
    done = pi.run("python3", "-c", READ_FACES, model=model)
    assert done.returncode == 0, done.stderr
    here = np.stack([classifier.backend.run(face) for face in pixels])
    assert len({row.argmax() for row in here}) > 1
    there = np.load(pi.project / "outputs.npy")
    np.testing.assert_array_equal(there, here)

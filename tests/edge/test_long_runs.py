"""Specify long and large runs: ten hours, fifty faces at once, 4K. Nothing that is remembered grows."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pytest

import edge.run
from edge import meter
from edge.backend import SHIPPED, open_backend
from edge.calibrator import Calibrator
from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline
from edge.sinks.console import Console
from edge.sinks.thinning import Thinning
from edge.sources.demo import PHOTOGRAPH, demo_images
from edge.sources.health import Health
from edge.sources.outage import Outages
from edge.values import Box, Face, Frame
from tests.edge.samples import make_context

HOURS = 10
STEP_S = 30.0
FRAMES = round(HOURS * 3600 / STEP_S)


class PassersBy(Detector):
    """Find a face at another place on every frame, and a few more now and then."""

    name = "fake"

    def __init__(self) -> None:
        self.frames = 0

    def detect(self, image: np.ndarray, smallest: float | None) -> list[Face]:
        self.frames += 1
        count = 1 + (self.frames % 50 == 0) * 5
        return [Face(Box(7 * self.frames % 500 + 20 * i, 11 * self.frames % 300, 90, 90), 0.9) for i in range(count)]


def size(*roots: object) -> int:
    """Return how many objects are reachable from these, classes and modules apart."""
    seen: set[int] = set()
    rest = list(roots)
    while rest:
        item = rest.pop()
        if id(item) not in seen and not isinstance(item, type | ModuleType | FunctionType):
            seen.add(id(item))
            rest += gc.get_referents(item)
    return len(seen)


def test_ten_hours_of_passers_by_take_no_more_memory_than_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MAX_FRAMES", 200)
    classifier = Classifier(open_backend(SHIPPED, 1))
    calibrator = Calibrator(classifier.card.labels, automatic=True)
    pipeline = Pipeline(PassersBy(), classifier, Meter(), calibrator=calibrator)
    monkeypatch.setattr(classifier, "read", lambda *_: np.full(7, 1 / 7, np.float32))
    console = Console("", make_context())
    monkeypatch.setattr(console, "_outlet", type("Nowhere", (), {"write": lambda *_: None})())
    thinning = Thinning(60.0, True).filter()
    health = Health(may_be_still=False)
    outages = Outages()
    images = list(demo_images(5))
    sizes = []
    for index in range(FRAMES):
        frame = Frame(index, index * STEP_S, 0.0, images[index % len(images)])
        readings = pipeline.step(frame)
        console.write(frame, readings)
        thinning.keeps(frame, readings)
        health.update(frame.image, frame.time_s)
        outages.update(frame.time_s) if index % 100 < 10 else outages.end()
        pipeline.meter.frame()
        if index in (FRAMES // 2, FRAMES - 1):
            sizes.append(size(pipeline.tracker, pipeline._smoother, calibrator, pipeline.meter, console, thinning))
    half, all_ = sizes
    assert pipeline.tracker.detections > FRAMES / 2
    assert all_ < 1.02 * half + 20


def video(path: Path, image: np.ndarray, frames: int) -> Path:
    """Write a video that repeats an image."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, image.shape[1::-1])
    for _ in range(frames):
        writer.write(image)
    writer.release()
    return path


def crowd(columns: int, rows: int) -> np.ndarray:
    """Return a picture in which one face repeats."""
    face = cv2.resize(cv2.imread(str(PHOTOGRAPH))[20:260, 110:350], (192, 192))
    return np.tile(face, (rows, columns, 1))


def faces_of(events: Path) -> Iterator[list[dict[str, object]]]:
    for line in events.read_text().splitlines():
        yield json.loads(line)["faces"]


@pytest.mark.parametrize(("columns", "rows", "side"), [(10, 5, 1.0), (4, 2, 5.0)], ids=["fifty faces", "4K with eight"])
def test_many_and_large_faces_are_all_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, rows: int, side: float
) -> None:
    monkeypatch.chdir(tmp_path)
    image = cv2.resize(crowd(columns, rows), None, fx=side, fy=side)
    video(Path("in.avi"), image, 3)
    arguments = ["in.avi", "--no-display", "--events", "e", "--record", "o.avi", "--stats", "s"]
    assert edge.run.main(arguments) == 0
    for faces in faces_of(Path("e")):
        assert len(faces) == columns * rows
        assert len({face["id"] for face in faces}) == columns * rows
    assert json.loads(Path("s").read_text())["frames"] == 3

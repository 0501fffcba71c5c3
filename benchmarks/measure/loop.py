"""The loop, by detector, model, resolution and number of faces: how fast it can go, and how it does on a live camera.

As fast as it can: frames through the pipeline, against the library calls that they cost (`limit`) and against the peer
`fer`, by turns. Live: the same frames as a camera would give them, the newest one wins.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import estimates, limit
from benchmarks.measure.peer import open_peer
from edge.classifier import Classifier
from edge.detector import set_cores
from edge.detectors.base import Detector
from edge.errors import SourceError
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline, loop
from edge.source import open_source
from edge.sources.base import Source
from edge.sources.capture import Playback
from edge.sources.live import Live
from edge.values import Frame, Image, Reading
from train.progress import Advance

STARTS = 5
WIDEST = 640  # pixels to which a clip is brought before it is cut to the resolutions: all of it is in memory
STAGES = ("detect", "classify", "smooth")
ROOT = Path(__file__).resolve().parents[1]


class Clip(Source):
    """Frames at hand, as a recorded source."""

    def __init__(self, frames: Sequence[Frame], fps: float) -> None:
        super().__init__("clip")
        self.frames, self.fps = frames, fps

    @property
    def sha256(self) -> str:
        """Of the pixels of all frames: two reports on the same clip can be compared."""
        return hashlib.sha256(b"".join(frame.image.tobytes() for frame in self.frames)).hexdigest()

    def images(self) -> Iterator[tuple[Image, str | None]]:
        return ((frame.image, None) for frame in self.frames)


@dataclass(frozen=True)
class Cell:
    """What a row of the table is about. `model`: its name in the report; `scene`: 1 or 4 faces."""

    model: str
    classifier: Classifier
    detector: Detector
    resolution: tuple[int, int]
    scene: int

    def describe(self) -> dict[str, Any]:
        """As results.json names it."""
        return {
            "model": self.model,
            "detector": self.detector.name,
            "resolution": list(self.resolution),
            "scene": self.scene,
        }


def read(source: str, seconds: float = 10.0) -> Clip:
    """The beginning of a clip, brought to at most 640 pixels; SourceError for what is no recording."""
    frames = []
    with open_source(source) as opened:
        if opened.live or opened.independent:
            raise SourceError(f"expected a clip or demo to measure on, found {source}")
        for frame in islice(opened, round(seconds * opened.fps)):
            scale = min(1.0, WIDEST / max(frame.image.shape[:2]))
            image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            frames.append(Frame(frame.index, frame.time_s, 0.0, image))
        if not frames:
            raise SourceError(f"expected a clip with frames, found none in {source}")
        return Clip(frames, opened.fps)


def measure(
    cells: Sequence[Cell], clip: Clip, passes: int, peer: str | None, done: Advance
) -> Iterator[dict[str, Any]]:
    """The rows; cells of the same resolution and scene must follow each other. `peer` is a Python that has fer."""
    shown: tuple[tuple[int, int], int] | None = None
    with contextlib.ExitStack() as closing:
        for cell in cells:
            if shown != (cell.resolution, cell.scene):
                shown = cell.resolution, cell.scene
                frames = scene(clip, cell.resolution, cell.scene)
                closing.close()
                asked = None
                if peer:
                    asked = closing.enter_context(open_peer(peer, [frame.image for frame in frames]))
            yield {
                **cell.describe(),
                **_flat_out(cell, frames, passes, asked),
                "live": live(cell, Clip(frames, clip.fps)),
            }
            done()


def _flat_out(cell: Cell, frames: Sequence[Frame], passes: int, peer: limit.Peer | None) -> dict[str, Any]:
    made: list[Pipeline] = []

    def make() -> Pipeline:
        made.append(pipeline(cell))
        return made[-1]

    times = limit.measure(make, frames, passes, peer)
    each = np.full(passes, float(len(frames)))
    spent = [working.meter.spent_ms() for working in made[1:]]  # the first one was watched, not timed
    mean = estimates.ratio(times.loop.sum(axis=1), each)
    low, high = mean["ci95"] or (None, None)
    return {
        "frames": len(frames),
        "passes": passes,
        "ms": mean["value"],
        "fps": 1000 / mean["value"],
        "fps_ci95": [1000 / high, 1000 / low] if low and high else None,
        "stages_ms": {name: sum(stage.get(name, 0.0) for stage in spent) / each.sum() for name in STAGES},
        "limit_ms": float(times.limit.sum() / each.sum()),
        "limit_ratio": estimates.ratio(times.loop.sum(axis=1), times.limit.sum(axis=1)),
        "peer_ms": None if times.peer is None else float(times.peer.sum() / len(frames)),
        "times_as_fast_as_peer": None if times.peer is None else estimates.ratio(times.peer, times.loop[0]),
    }


class Count(contextlib.AbstractContextManager["Count"]):
    """An output that counts frames and faces."""

    wants_picture, name = False, "count"
    frames = faces = 0

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        self.frames += 1
        self.faces += len(readings)

    def __exit__(self, *_: object) -> None: ...


def live(cell: Cell, clip: Clip) -> dict[str, Any]:
    """The clip as a camera would give it, at its own speed: what is read, how old it is then, and what is dropped."""
    working, count = pipeline(cell), Count()
    start, spent = time.monotonic(), time.process_time()
    with Live("clip", lambda: Playback(clip), ends=True) as source:
        loop(source, working, [count])
    seconds = time.monotonic() - start
    ages = estimates.percentiles(np.array([working.meter.ages_ms]), (50, 95))
    return {
        "camera_fps": clip.fps,
        "fps": count.frames / seconds,
        "age_ms": {name: ages[name] for name in ("p50", "p95")},
        "frames": count.frames,
        "faces_a_frame": count.faces / max(1, count.frames),
        "dropped": source.dropped,
        "cores_used": (time.process_time() - spent) / seconds,
    }


def pipeline(cell: Cell) -> Pipeline:
    """The cell's pipeline, with no memory, and OpenCV on as many cores as its detector likes."""
    set_cores(cell.detector)
    return Pipeline(cell.detector, cell.classifier, Meter())


def scene(clip: Clip, size: tuple[int, int], faces: int) -> list[Frame]:
    """The clip's frames at a resolution, with one face or with four."""
    images = [image for image, _ in clip.images()]
    shown = [_scene(images, i, size, faces) for i in range(len(images))]
    return [Frame(i, i / clip.fps, 0.0, image) for i, image in enumerate(shown)]


def _scene(images: Sequence[Image], i: int, size: tuple[int, int], faces: int) -> Image:
    """Picture `i` of a clip, its middle cut to a resolution; or four moments of it, side by side."""
    if faces == 1:
        return _cut(images[i], *size)
    half = size[0] // 2, size[1] // 2
    parts = [_cut(images[(i + part * len(images) // 4) % len(images)], *half) for part in range(4)]
    return np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])


def _cut(image: Image, width: int, height: int) -> Image:
    """The middle of a picture, in the shape of width by height and brought to that size."""
    scale = max(width / image.shape[1], height / image.shape[0])
    across, down = round(width / scale), round(height / scale)
    left, top = (image.shape[1] - across) // 2, (image.shape[0] - down) // 2
    return cv2.resize(image[top : top + down, left : left + across], (width, height), interpolation=cv2.INTER_AREA)


def starts() -> dict[str, Any]:
    """Seconds from the start of the program to its end after one reading, and its memory: medians."""
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, str(ROOT / "edge" / "run.py"), "--source", "demo", "--max-frames", "1"]
        command += ["--detector", "haar", "--no-display", "--stats", str(stats)]
        for _ in range(STARTS):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
            memory.append(json.loads(stats.read_text())["rss_mb"])
    return {
        "seconds": statistics.median(seconds),
        "seconds_range": [min(seconds), max(seconds)],
        "rss_mb": memory[0] and statistics.median(memory),
    }

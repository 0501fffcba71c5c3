"""The whole loop on a clip: what a device gives, capture to reading, without a window or a recording."""

from __future__ import annotations

from itertools import islice
from typing import Any

from edge.camera import open_source
from edge.classifier import Backend, Classifier
from edge.detector import open_detector
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.values import Frame
from train.progress import Advance, nothing


def measure(backend: Backend, source: str, frames: int, advance: Advance = nothing) -> dict[str, Any]:
    """FPS, stage times and frame age in ms over at most `frames` frames; `advance` is called after each."""
    sizes: set[tuple[int, int]] = set()

    def seen(frame: Frame) -> Frame:
        sizes.add((frame.image.shape[1], frame.image.shape[0]))
        advance()
        return frame

    meter = Meter()
    pipeline = Pipeline(open_detector("haar"), Classifier(backend), meter)
    with open_source(source) as opened:
        loop(map(seen, islice(opened, frames)), pipeline, [])
    resolution = " ".join(f"{width}x{height}" for width, height in sorted(sizes))
    return {"detector": pipeline.detector.name, "source": source, "resolution": resolution, **meter.stats()}

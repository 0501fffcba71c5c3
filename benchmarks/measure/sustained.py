"""Run the pipeline at full speed for minutes, to see whether the machine heats up and slows down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

from benchmarks.measure.clip import Clip, cut_frames
from benchmarks.measure.pipeline import Case
from benchmarks.results import Point, Sustained
from edge import host
from edge.host import resident_mb
from edge.values import Frame
from train.progress import Advance

POINTS = 60  # of the curve
EDGE_POINTS = POINTS // 10  # at either end, whose mean speeds are compared


def measure_sustained(case: Case, clip: Clip, minutes: float, advance: Advance) -> Sustained:
    """Repeat the clip and record speed, temperature, clock and memory; `advance` is called after each point."""
    pipeline = case.make_pipeline()
    frames = cut_frames(clip, case.info.resolution, case.info.scene)
    interval_s = 60 * minutes / POINTS
    points: list[Point] = []
    frames_since = 0
    start_s = since_s = time.monotonic()
    for i in count():
        pipeline.step(Frame(i, i / clip.fps, time.monotonic(), frames[i % len(frames)].image))
        frames_since += 1
        now_s = time.monotonic()
        if now_s - since_s < interval_s:
            continue
        fps = frames_since / (now_s - since_s)
        points.append(Point(round(now_s - start_s, 2), fps, resident_mb(), host.sensors()))
        since_s = time.monotonic()
        frames_since = 0
        advance()
        if len(points) == POINTS:
            break
    return Sustained(case.info, i + 1, _mean_fps(points[:EDGE_POINTS]), _mean_fps(points[-EDGE_POINTS:]), tuple(points))


def _mean_fps(points: Sequence[Point]) -> float:
    return sum(point.fps for point in points) / len(points)

"""The loop at full speed for minutes: does the machine keep up, or does it grow warm and slow down?"""

from __future__ import annotations

import time
from itertools import count
from typing import Any

from benchmarks.measure.loop import Cell, Clip, pipeline, scene
from edge import host
from edge.host import resident_mb
from edge.values import Frame
from train.progress import Advance

POINTS = 60  # of the curve
AT_THE_END = 0.1  # of the points, at either end, whose speeds are compared


def measure(cell: Cell, clip: Clip, minutes: float, advance: Advance) -> dict[str, Any]:
    """A curve of FPS, temperature, clock and memory, the clip over and over; `advance` is called for each point."""
    working, frames, span_s = pipeline(cell), scene(clip, cell.resolution, cell.scene), 60 * minutes / POINTS
    points: list[dict[str, Any]] = []
    done = 0  # frames since the last point
    start_s = since_s = time.monotonic()
    for i in count():
        working.step(Frame(i, i / clip.fps, time.monotonic(), frames[i % len(frames)].image))
        done += 1
        now_s = time.monotonic()
        if now_s - since_s < span_s:
            continue
        measured = {"at_s": round(now_s - start_s, 2), "fps": done / (now_s - since_s), "rss_mb": resident_mb()}
        points.append(measured | host.sensors())
        since_s, done = time.monotonic(), 0
        advance()
        if len(points) == POINTS:
            break
    few = max(1, round(AT_THE_END * POINTS))
    first, last = (sum(point["fps"] for point in part) / few for part in (points[:few], points[-few:]))
    return {
        **cell.describe(),
        "frames": i + 1,
        "first_fps": first,
        "last_fps": last,
        "points": points,
    }

"""Measure how long the program takes from its start to its end after one reading."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure.latency import repeated
from benchmarks.measure.worker import CHECKOUT
from benchmarks.results import StartUp
from edge.errors import EmotionError

RUNS = 5


def measure_start_up(detector: str) -> StartUp:
    """Run edge/run.py on one frame of the demo a few times. Raises EmotionError where it fails."""
    seconds = []
    memory_mb = []
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, str(CHECKOUT / "edge" / "run.py"), "--source", "demo", "--max-frames", "1"]
        command += ["--detector", detector, "--no-display", "--stats", str(stats)]
        for _ in range(RUNS):
            start = time.perf_counter()
            process = subprocess.run(command, capture_output=True, text=True)
            seconds.append(time.perf_counter() - start)
            if process.returncode:
                raise EmotionError(
                    f"expected a reading of the demo from {command[1]}, it failed: {process.stderr.strip()}"
                )
            memory_mb.append(json.loads(stats.read_text())["rss_mb"])
    return StartUp(repeated(seconds), statistics.median(memory_mb) if None not in memory_mb else None, detector)

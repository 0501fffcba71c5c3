"""Run the command in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

HEADLESS = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}


def run(*arguments: object, cwd: Path = ROOT, entry: str = "edge/run.py") -> subprocess.CompletedProcess[str]:
    """Run the command without a display."""
    start = [ROOT / "edge" / "run.py"] if entry == "edge/run.py" else entry.split()
    command = [sys.executable, *map(str, [*start, *arguments])]
    return subprocess.run(command, cwd=cwd, env=HEADLESS, capture_output=True, text=True, timeout=120)


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]

"""Try in a process of its own what may crash: a library for another processor ends the process that loads it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 120.0
MARK = "edge-emotion probe: "

Facts = dict[str, Any]


def probe(name: str, *arguments: str) -> Facts:
    """Return what a function of edge.doctor.probes finds in a process of its own, or `error`: why it finds nothing."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from edge.doctor.probes import answer; answer()"
    command = [sys.executable, "-c", program, name, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {"error": f"does not answer within {TIMEOUT_S:.0f} s"}
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if line:
        facts: Facts = json.loads(line.removeprefix(MARK))
        return facts
    return {"error": ending(done.returncode, done.stderr)}


def ending(status: int, stderr: str) -> str:
    """Return why a process ended without an answer; `status` below 0 is a signal's number."""
    if status == -getattr(signal, "SIGILL", 4):
        return "uses instructions that this processor does not have"
    if status < 0:
        return f"crashes ({signal.Signals(-status).name})"
    return (stderr.strip().splitlines() or [f"ends with status {status}"])[-1]

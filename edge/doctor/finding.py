"""Define what a check finds."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """Grade a finding."""

    OK = "ok"
    NOTE = "note"  # something optional is not there
    WARNING = "warning"  # it runs, but something is missing or slows it down
    FAULT = "fault"  # it cannot run, or reads wrongly


@dataclass(frozen=True)
class Finding:
    """Hold the result of one check, and the command that mends a fault."""

    check: str
    level: Level
    text: str
    fix: str = ""


def from_error(check: str, level: Level, error: str, fix: str) -> Finding:
    """Return the finding for an error; those of this project have a command after `run: `, for others it is `fix`."""
    text, _, own_fix = error.partition("; run: ")
    own_fix, *_ = own_fix.replace(", then: ", " && ").split(" (or")
    return Finding(check, level, text, own_fix or fix)

"""Define what an output must offer."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Protocol

from edge.values import Frame, Reading


class Sink(contextlib.AbstractContextManager["Sink"], Protocol):
    """An output: a context manager with one verb. `wants_picture`: the frame it is given has the readings drawn in."""

    wants_picture: bool
    name: str  # where it goes, for people

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None: ...

"""Calls timed side by side, fairly.

They take turns in short rounds, and every other round goes in reverse order, so that a clock that drifts or a neighbour
that wakes up hits all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

WARM_UP = 50  # calls of each
ROUND = 20  # calls a turn


def by_turns(
    calls: Sequence[Callable[[int], Any]], runs: int, advance: Callable[[], None] = lambda: None
) -> list[npt.NDArray[np.float64]]:
    """Milliseconds of each call, one array [>= runs] each; a call is given the number of its run; `advance` is
    called once a run."""
    for call in calls:
        for i in range(WARM_UP):
            call(i)
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(-(-runs // ROUND)):
        order = range(len(calls))
        for which in order if turn % 2 == 0 else reversed(order):
            call = calls[which]
            for i in range(turn * ROUND, (turn + 1) * ROUND):
                start = time.perf_counter()
                call(i)
                times[which].append(1000 * (time.perf_counter() - start))
        for _ in range(ROUND):
            advance()
    return [np.array(values) for values in times]

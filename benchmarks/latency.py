"""Percentiles of timed inferences (edge.timing), no outlier left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def percentiles(times_ms: npt.NDArray[np.float64]) -> dict[str, float]:
    """p50, p95, p99 in ms."""
    p50, p95, p99 = np.percentile(times_ms, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99)}

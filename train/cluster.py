"""Read TF_CONFIG, which names the machines of a distributed training, without TensorFlow."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from edge.errors import UsageError


@dataclass(frozen=True)
class Cluster:
    """Say how many workers there are, and whether this one is the chief."""

    size: int = 1
    chief: bool = True


def read_cluster() -> Cluster:
    """Return the cluster of TF_CONFIG; without it, or with a single worker, this machine alone. Raises UsageError."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        size = sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
        if size < 2:
            return Cluster()
        chief = task["type"] == "chief" or ("chief" not in cluster and task["index"] == 0)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(f'expected TF_CONFIG as {{"cluster": {{"worker": [...]}}, "task": ...}}: {error}') from error
    return Cluster(size, chief)

"""Load the reference report, on which the tests of reports and comparisons are built."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import ROOT

REFERENCE: dict[str, Any] = json.loads(
    (ROOT / "benchmarks" / "reference" / "amd-epyc-2-cores" / "results.json").read_text(encoding="utf-8")
)

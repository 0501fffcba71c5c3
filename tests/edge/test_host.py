"""Test the description of the machine."""

from __future__ import annotations

import json
import sys

import pytest

from edge import host


@pytest.mark.parametrize(
    ("answer", "causes"),
    [
        ("throttled=0x0", []),
        ("throttled=0x50005", ["under-voltage", "throttled"]),  # the upper bits are about the past
        ("throttled=0x50000", []),
        (None, None),
        ("garbage", None),
    ],
)
def test_causes_of_throttling_are_read_from_the_firmware(answer: str | None, causes: list[str] | None) -> None:
    assert host.parse_throttled(answer) == causes


def test_description_has_the_fields_of_results_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "LOAD_INTERVAL_S", 0.05)
    described = host.describe()
    assert list(described) == [
        *("board", "processor", "machine", "cores", "governor", "memory_mb", "system", "python", "packages"),
        *("used_by_others", "temperature_c", "clock_mhz", "throttled"),
    ]
    assert json.loads(json.dumps(described)) == described
    assert described["cores"] >= 1
    assert "numpy" in described["packages"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not report it")
def test_memory_is_in_megabytes() -> None:
    total = host.memory_mb()
    resident = host.resident_mb()
    assert total is not None
    assert resident is not None
    assert 5 < resident < total
    assert 200 < total < 10_000_000

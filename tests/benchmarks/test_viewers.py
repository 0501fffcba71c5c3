"""Specify the benchmark of the live page's viewers."""

from __future__ import annotations

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from benchmarks.viewers import main


@pytest.mark.slow
def test_the_table_has_a_row_without_viewers_with_one_and_with_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--viewers", "4", "--stalled", "2", "--seconds", "0.5", "--rounds", "1", "--fps", "20"]) == 0
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].strip() for row in rows] == ["none", "1", "4, 2 stalled"]
    assert all(float(row[1]) > 0 for row in rows)
    assert [float(row[4]) > 0 for row in rows] == [False, True, True]

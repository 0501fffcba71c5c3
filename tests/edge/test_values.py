from __future__ import annotations

import pytest

from edge.values import Box


@pytest.mark.parametrize(
    ("a", "b", "expected", "why"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0, "the same"),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 1 / 3, "half over"),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0.0, "touching"),
        (Box(0, 0, 10, 10), Box(50, 50, 10, 10), 0.0, "apart"),
        (Box(0, 0, 10, 10), Box(2, 2, 5, 5), 0.25, "inside"),
    ],
)
def test_iou(a: Box, b: Box, expected: float, why: str) -> None:
    assert a.iou(b) == pytest.approx(expected), why
    assert b.iou(a) == pytest.approx(expected), why


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_box_has_a_size(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Box(0, 0, *size)

"""Test the geometry of boxes."""

from __future__ import annotations

import pytest

from edge.values import Box


@pytest.mark.parametrize(
    ("a", "b", "expected", "reason"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0, "identical"),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 1 / 3, "half overlapping"),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0.0, "touching"),
        (Box(0, 0, 10, 10), Box(50, 50, 10, 10), 0.0, "disjoint"),
        (Box(0, 0, 10, 10), Box(2, 2, 5, 5), 0.25, "inside"),
    ],
)
def test_intersection_over_union(a: Box, b: Box, expected: float, reason: str) -> None:
    assert a.iou(b) == pytest.approx(expected), reason
    assert b.iou(a) == pytest.approx(expected), reason


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_box_without_a_size_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Box(0, 0, *size)

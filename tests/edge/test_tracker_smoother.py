from __future__ import annotations

import math

import numpy as np
import pytest

from edge.smoother import Smoother
from edge.tracker import KEPT_FRAMES, Tracker
from edge.values import Box, Face

LEFT, RIGHT = Face(Box(0, 0, 50, 50)), Face(Box(100, 0, 50, 50))
LEFT_MOVED = Face(Box(8, 3, 50, 50))


def test_ids_follow_faces_not_their_order() -> None:
    tracker = Tracker()
    assert tracker.update([LEFT, RIGHT]) == [1, 2]
    assert tracker.update([RIGHT, LEFT_MOVED]) == [2, 1]


def test_a_face_missed_for_a_moment_keeps_its_id() -> None:
    tracker = Tracker()
    tracker.update([LEFT])
    for _ in range(KEPT_FRAMES - 1):
        assert tracker.update([]) == []
    assert tracker.update([LEFT_MOVED]) == [1]


def test_a_face_gone_for_long_is_a_new_one_and_ids_never_come_twice() -> None:
    tracker = Tracker()
    tracker.update([LEFT])
    for _ in range(KEPT_FRAMES):
        tracker.update([])
    assert tracker.known() == set()
    assert tracker.update([LEFT]) == [2]


def test_two_boxes_on_one_track_do_not_share_its_id() -> None:
    tracker = Tracker()
    tracker.update([LEFT])
    assert tracker.update([LEFT_MOVED, LEFT]) == [2, 1]


def _after_a_step(fps: int, seconds: float) -> float:
    """The smoothed value `seconds` after the raw one jumped from 0 to 1."""
    smoother, value = Smoother(0.3), np.zeros(2, dtype=np.float32)
    smoother.update(1, 0.0, value)
    for i in range(1, round(fps * seconds) + 1):
        value = smoother.update(1, i / fps, np.ones(2, dtype=np.float32))
    return float(value[0])


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_smoothing_takes_the_same_time_at_every_frame_rate(fps: int) -> None:
    assert _after_a_step(fps, 0.3) == pytest.approx(1 - math.exp(-1), abs=1e-5)


def test_faces_do_not_share_a_mean() -> None:
    smoother = Smoother()
    smoother.update(1, 0.0, np.array([1, 0], dtype=np.float32))
    assert smoother.update(2, 0.1, np.array([0, 1], dtype=np.float32)).tolist() == [0, 1]


def test_forgotten_faces_begin_anew() -> None:
    smoother = Smoother()
    smoother.update(1, 0.0, np.array([1, 0], dtype=np.float32))
    smoother.keep(set())
    assert smoother.update(1, 0.1, np.array([0, 1], dtype=np.float32)).tolist() == [0, 1]

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.smoother import Smoother, steady
from edge.tracker import KEPT_FRAMES, Tracker
from edge.values import UNCERTAIN, Box, Face

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


AB = ("a", "b")


def values(*probabilities: float) -> np.ndarray:
    return np.array(probabilities, dtype=np.float32)


def _after_a_step(fps: int, seconds: float) -> float:
    """The smoothed value `seconds` after the raw one jumped from 0 to 1."""
    smoother, value = Smoother(0.3), values(0, 0)
    smoother.update(1, 0.0, value, AB)
    for i in range(1, round(fps * seconds) + 1):
        value, _ = smoother.update(1, i / fps, values(1, 1), AB)
    return float(value[0])


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_smoothing_takes_the_same_time_at_every_frame_rate(fps: int) -> None:
    assert _after_a_step(fps, 0.3) == pytest.approx(1 - math.exp(-1), abs=1e-5)


def test_faces_do_not_share_a_mean() -> None:
    smoother = Smoother()
    smoother.update(1, 0.0, values(1, 0), AB)
    assert smoother.update(2, 0.1, values(0, 1), AB)[0].tolist() == [0, 1]


def test_forgotten_faces_begin_anew() -> None:
    smoother = Smoother()
    smoother.update(1, 0.0, values(1, 0), AB)
    smoother.keep(set())
    assert smoother.update(1, 0.1, values(0, 1), AB)[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("shown", "now", "then"),
    [
        (UNCERTAIN, (0.39, 0.3), UNCERTAIN),  # nothing is probable enough
        (UNCERTAIN, (0.41, 0.3), "a"),  # the most probable
        ("a", (0.45, 0.54), "a"),  # the other leads by less than the hysteresis
        ("a", (0.44, 0.55), "b"),  # by more
        ("a", (0.31, 0.30), "a"),  # below the limit, by less than the hysteresis
        ("a", (0.29, 0.28), UNCERTAIN),  # by more
        ("a", (0.29, 0.45), "b"),  # straight to the other
    ],
)
def test_a_name_stays_until_another_leads_clearly(shown: str, now: tuple[float, float], then: str) -> None:
    assert steady(values(*now), AB, shown, 0.4) == then


class Scripted:
    """A detector whose faces are told to it, frame by frame; it writes down how it was asked."""

    name, every, raw = "scripted", 4, None

    def __init__(self, frames: list[list[Face]], blind: set[int] = frozenset()) -> None:
        self.frames, self.blind, self.now, self.asked = frames, blind, 0, ""

    def detect(self, image: np.ndarray) -> list[Face]:
        self.asked += "D"
        return self.frames[self.now]

    def near(self, image: np.ndarray, box: Box) -> Face | None:
        self.asked += "n"
        found = [face for face in self.frames[self.now] if face.box.iou(box) >= 0.3]
        return found[0] if found and self.now not in self.blind else None


def follow(detector: Scripted) -> list[list[int]]:
    tracker, ids = Tracker(detector.every), []
    for now in range(len(detector.frames)):
        detector.now = now
        ids.append(tracker.update(tracker.find(detector, np.zeros((8, 8), np.uint8))))
        detector.asked += " "
    return ids


@pytest.mark.parametrize(
    ("frames", "blind", "asked", "ids"),
    [
        ([[LEFT]] * 6, set(), "D n n n D n", [[1]] * 6),  # the full detector on every fourth frame
        ([[]] * 3, set(), "D D D", [[]] * 3),  # and on every frame where nobody is known
        ([[LEFT, RIGHT]] * 2, set(), "D nn", [[1, 2]] * 2),  # a search a face
        ([[LEFT], [LEFT_MOVED]], set(), "D n", [[1], [1]]),
        ([[LEFT], [], []], set(), "D nD D", [[1], [], []]),  # a lost face: at once
        ([[LEFT]] * 4, {2}, "D n nD n", [[1]] * 4),  # a search that fails, and is mended within the frame
        (
            [[LEFT], [LEFT, RIGHT], [LEFT, RIGHT], [LEFT, RIGHT], [LEFT, RIGHT]],
            set(),
            "D n n n D",
            [[1]] * 4 + [[1, 2]],
        ),
    ],
)
def test_the_full_detector_looks_only_when_due(
    frames: list[list[Face]], blind: set[int], asked: str, ids: list[list[int]]
) -> None:
    detector = Scripted(frames, blind)
    assert follow(detector) == ids
    assert detector.asked.strip() == asked


def test_two_searches_that_end_on_one_face_are_one_lost() -> None:
    crossing = [[LEFT, Face(Box(40, 0, 50, 50))], [Face(Box(20, 0, 50, 50))]]
    detector = Scripted(crossing)
    assert len(follow(detector)[1]) == 1
    assert detector.asked == "D nnD "

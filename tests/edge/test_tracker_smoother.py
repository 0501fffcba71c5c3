"""Specify smoothing over time and the tracking of faces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.labels import UNCERTAIN
from edge.opencv import cv2
from edge.smoother import Smoother
from edge.tracker import MAX_MISSED, Tracker
from edge.values import Box, Face

AB = ("a", "b")


def values(*probabilities: float) -> np.ndarray:
    return np.array(probabilities, dtype=np.float32)


def _after_a_step(fps: int, seconds: float) -> float:
    """Return the smoothed value `seconds` after the raw one jumped from 0 to 1."""
    smoother = Smoother(AB, 0.3)
    value = values(0, 0)
    smoother.update(1, 0.0, value)
    for i in range(1, round(fps * seconds) + 1):
        value, _ = smoother.update(1, i / fps, values(1, 1))
    return float(value[0])


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_smoothing_takes_the_same_time_at_every_frame_rate(fps: int) -> None:
    assert _after_a_step(fps, 0.3) == pytest.approx(1 - math.exp(-1), abs=1e-5)


def test_faces_do_not_share_a_mean() -> None:
    smoother = Smoother(AB)
    smoother.update(1, 0.0, values(1, 0))
    assert smoother.update(2, 0.1, values(0, 1))[0].tolist() == [0, 1]


def test_forgotten_faces_begin_anew() -> None:
    smoother = Smoother(AB)
    smoother.update(1, 0.0, values(1, 0))
    smoother.update(2, 60.0, values(1, 0))  # another face, a minute later
    assert smoother.update(1, 60.1, values(0, 1))[0].tolist() == [0, 1]
    assert len(smoother._faces) == 2


@pytest.mark.parametrize(
    ("shown", "now", "then"),
    [
        (UNCERTAIN, (0.39, 0.3), UNCERTAIN),  # nothing is probable enough
        ("", (0.41, 0.3), "a"),  # the most probable
        (UNCERTAIN, (0.44, 0.3), UNCERTAIN),  # once uncertain, it takes a little more
        (UNCERTAIN, (0.46, 0.3), "a"),
        ("a", (0.45, 0.54), "a"),  # the other leads by less than the hysteresis
        ("a", (0.44, 0.55), "b"),  # by more
        ("a", (0.39, 0.30), UNCERTAIN),  # never named below the limit
        ("a", (0.39, 0.45), "b"),  # straight to the other
    ],
)
def test_the_label_changes_only_when_another_leads_clearly(shown: str, now: tuple[float, float], then: str) -> None:
    assert Smoother(AB, uncertain_below=0.4, hysteresis=0.1).choose_label(values(*now), shown) == then


class Scripted:
    """Detect scripted boxes, frame by frame, and record the frames of the detections."""

    name = "scripted"
    detect_interval = 4
    cores = 1
    smallest_face = 1 / 32
    invoke = None

    def __init__(self, *frames: list[Box]) -> None:
        self.frames = frames
        self.now = 0
        self.detected: list[int] = []

    def detect(self, image: np.ndarray, smallest: float | None = None) -> list[Face]:
        self.detected.append(self.now)
        return [Face(box) for box in self.frames[self.now]]

    def close(self) -> None: ...


LEFT = Box(20, 20, 50, 50)
RIGHT = Box(120, 20, 50, 50)
LEFT_MOVED = Box(28, 23, 50, 50)


def scene(*boxes: Box) -> np.ndarray:
    """Draw a texture of its own into each box, the same in each picture for a box of the same place."""
    image = np.full((120, 240, 3), 128, np.uint8)
    for box in boxes:
        texture = np.random.default_rng(box.x // 60).integers(0, 256, (10, 10, 3), dtype=np.uint8)
        image[box.y : box.y + box.height, box.x : box.x + box.width] = cv2.resize(texture, (box.width, box.height))
    return image


def follow(detector: Scripted, *scenes: list[Box], detect_interval: int | None = None) -> list[dict[int, Box]]:
    tracker = Tracker(detector, detect_interval)
    seen = []
    for now, boxes in enumerate(scenes):
        detector.now = now
        seen.append({id_: face.box for id_, face in tracker.find(scene(*boxes)).items()})
    return seen


def ids(seen: list[dict[int, Box]]) -> list[list[int]]:
    return [list(frame) for frame in seen]


def test_ids_follow_faces_not_their_order() -> None:
    frames = ([LEFT, RIGHT], [RIGHT, LEFT_MOVED])
    assert follow(Scripted(*frames), *frames, detect_interval=1) == [{1: LEFT, 2: RIGHT}, {1: LEFT_MOVED, 2: RIGHT}]


def test_a_face_missed_for_a_moment_keeps_its_id() -> None:
    frames = ([LEFT], *[[]] * (MAX_MISSED - 1), [LEFT_MOVED])
    assert ids(follow(Scripted(*frames), *frames))[-1] == [1]


def test_a_face_gone_for_long_is_a_new_one_and_ids_never_come_twice() -> None:
    frames = ([LEFT], *[[]] * MAX_MISSED, [LEFT])
    assert ids(follow(Scripted(*frames), *frames))[-1] == [2]


def test_two_boxes_on_one_track_do_not_share_its_id() -> None:
    frames = ([LEFT], [LEFT_MOVED, LEFT])
    assert follow(Scripted(*frames), *frames, detect_interval=1)[1] == {1: LEFT, 2: LEFT_MOVED}


@pytest.mark.parametrize(
    ("frames", "detected"),
    [
        ([[LEFT]] * 10, [0, 1, 5, 9]),  # on every fourth frame; a new face is detected again
        ([[]] * 3, [0, 1, 2]),  # on every frame while no face is tracked
        ([[LEFT], [], []], [0, 1, 2]),  # at once where a face is lost
        ([[LEFT, RIGHT]] * 3 + [[RIGHT]] * 3, [0, 1, 3]),  # one of two
        ([[LEFT]] * 2 + [[LEFT, RIGHT]] * 5, [0, 1, 5, 6]),  # a new face waits for the next detection
    ],
)
def test_detection_runs_only_when_due(frames: list[list[Box]], detected: list[int]) -> None:
    detector = Scripted(*frames)
    seen = follow(detector, *frames)
    assert detector.detected == detected
    assert [len(faces) for faces in seen][-1] == len(frames[-1])


def test_between_detections_a_face_is_followed_to_its_place() -> None:
    path = [Box(20 + 6 * i, 20 + 3 * i, 50, 50) for i in range(5)]
    detector = Scripted(*[[box] for box in path])
    tracker = Tracker(detector)
    for now, box in enumerate(path):
        detector.now = now
        assert tracker.find(moved(LEFT, box))[1].box.iou(box) > 0.9
    assert detector.detected == [0, 1]


def moved(face: Box, place: Box) -> np.ndarray:
    """Draw the scene of one face at another place."""
    image = np.full((120, 240, 3), 128, np.uint8)
    texture = scene(face)[face.y : face.y + face.height, face.x : face.x + face.width]
    image[place.y : place.y + place.height, place.x : place.x + place.width] = texture
    return image


def test_a_face_that_changes_too_much_is_lost() -> None:
    """Lose a face whose picture correlates by 0.6 with its patch: it might be the background."""
    before = scene(LEFT)
    other = np.random.default_rng(9).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    after = cv2.addWeighted(before, 0.62, cv2.GaussianBlur(other, (0, 0), 2), 0.38, 0)
    after = cv2.add(after, cv2.GaussianBlur(other, (0, 0), 3) - 118)
    detector = Scripted([LEFT], [LEFT], [LEFT])
    tracker = Tracker(detector)
    for now, image in enumerate((before, before, after)):
        detector.now = now
        tracker.find(image)
    alike = cv2.matchTemplate(after[20:70, 20:70], before[20:70, 20:70], cv2.TM_CCOEFF_NORMED)[0, 0]
    assert 0.3 < alike < 0.75
    assert detector.detected == [0, 1, 2]


def test_one_detection_that_misses_a_face_is_not_enough() -> None:
    frames: list[list[Box]] = [[LEFT], [LEFT], [LEFT], [LEFT], [LEFT], [], [LEFT], [LEFT]]
    detector = Scripted(*frames)
    seen = follow(detector, *[[LEFT]] * len(frames))
    assert detector.detected == [0, 1, 5, 6]
    assert ids(seen) == [[1]] * len(frames)


def test_two_detections_that_miss_it_are() -> None:
    frames: list[list[Box]] = [[LEFT], [LEFT], [LEFT], [LEFT], [LEFT], [], [], []]
    assert [len(faces) for faces in follow(Scripted(*frames), *[[LEFT]] * len(frames))] == [1, 1, 1, 1, 1, 1, 0, 0]


def test_a_box_that_one_detection_returns_in_place_of_the_face_does_not_replace_it() -> None:
    frames = [[LEFT]] * 5 + [[RIGHT]] + [[LEFT]] * 4
    seen = follow(Scripted(*frames), *[[LEFT]] * len(frames))
    assert all(faces.get(1) == LEFT for faces in seen)
    assert [len(faces) for faces in seen] == [1, 1, 1, 1, 1, 2, 2, 1, 1, 1]


def test_another_person_at_the_same_place_is_another_face() -> None:
    other = Box(LEFT.x + 60, LEFT.y, 50, 50)  # of another texture, put where LEFT was
    detector = Scripted([LEFT], [LEFT], [LEFT])
    tracker = Tracker(detector)
    seen = []
    for now, image in enumerate((scene(LEFT), scene(LEFT), moved(other, LEFT))):
        detector.now = now
        seen.append(list(tracker.find(image)))
    assert seen == [[1], [1], [2]]


def test_two_searches_that_end_on_one_face_are_one_lost() -> None:
    """Remove one of two faces with the same picture: both searches end on the one that is left."""
    twin = Box(LEFT.x + 35, LEFT.y, 50, 50)
    image = moved(LEFT, twin)
    image[20:70, 20:55] = scene(LEFT)[20:70, 20:55]
    detector = Scripted([LEFT, twin], [LEFT, twin], [LEFT])
    tracker = Tracker(detector)
    for now, picture in enumerate((image, image, scene(LEFT))):
        detector.now = now
        faces = tracker.find(picture)
    assert detector.detected == [0, 1, 2]
    assert len(faces) == 1

"""Test when a camera counts as lost, and when an outage is reported and the camera reopened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge.sources import health
from edge.sources.health import Health
from edge.sources.outage import Outages

START_S = 10_000.0  # an arbitrary time of the monotonic clock


def picture(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ("may_be_still", "pictures", "frozen", "reason"),
    [
        (False, "aaaaaaa", True, "one picture for six seconds"),
        (False, "aaaaa", False, "too short"),
        (False, "abababa", False, "the noise of a sensor"),
        (False, "aaaaaaaRaaa", True, "the driver is still stuck after it was reopened"),
        (False, "aaaaaaaRaab", False, "the driver is not stuck any more"),
        (True, "aaaaaaa", True, "a stream is reopened too"),
        (True, "aaaaaaaRaaa", False, "the stream shows a still screen"),
        (True, "aaaaaaaRaabbbbbbb", True, "the stream froze again"),
    ],
)
def test_frozen_picture_differs_from_still_scene(may_be_still: bool, pictures: str, frozen: bool, reason: str) -> None:
    """Show one picture a second, named by a letter; R reopens the camera."""
    watch = Health(may_be_still)
    now_s = START_S
    for letter in pictures:
        if letter == "R":
            watch.reopened()
        else:
            watch.update(picture(ord(letter)), now_s)
            now_s += 1
    assert watch.frozen() == frozen, reason


@pytest.mark.parametrize(("silent_s", "stalled"), [(0.0, False), (1.9, False), (2.0, True), (60.0, True)])
def test_camera_without_a_picture_for_two_seconds_is_stalled(silent_s: float, stalled: bool) -> None:
    watch = Health(may_be_still=False)
    watch.update(picture(1), START_S)
    assert watch.stalled(START_S + silent_s) == stalled


def test_pictures_are_compared_byte_for_byte() -> None:
    image = np.zeros((480, 640, 3), dtype=np.uint8)
    other = image.copy()
    assert health._equal(image, other)
    other[479, 639, 2] = 1
    assert not health._equal(image, other)


def due_times(is_due: Callable[[float], bool], done: Callable[[float], None], outages: Outages) -> list[float]:
    """Return the tenths of a second, of the first 30 s of an outage, at which something is due and then done."""
    times = []
    for tenth in range(300):
        now_s = START_S + tenth / 10
        outages.update(now_s)
        if is_due(now_s):
            done(now_s)
            times.append(tenth / 10)
    return times


def test_reopening_backs_off_exponentially_up_to_a_limit() -> None:
    outages = Outages()
    times = due_times(outages.retry_due, outages.retried, outages)
    assert times == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5, 23.5], abs=0.11)


def test_outage_is_reported_at_once_and_then_twice_a_second() -> None:
    outages = Outages()
    times = due_times(outages.report_due, outages.reported, outages)
    assert times[:3] == pytest.approx([0.0, 0.5, 1.0], abs=0.11)
    assert len(times) == pytest.approx(60, abs=10)


@pytest.mark.parametrize(
    ("events", "count", "total_s", "reason"),
    [
        ("....", 0, 0.0, "never lost"),
        (".xxx.", 1, 2.0, "from the first to the last second of the outage"),
        ("x.x", 2, 0.0, "two short ones"),
        ("xx..xxx.", 2, 3.0, "the seconds between two outages do not count"),
        (".xxxx", 1, 3.0, "an outage that goes on counts too"),
    ],
)
def test_outages_are_counted_with_their_seconds(events: str, count: int, total_s: float, reason: str) -> None:
    """Spend a second on each character: x without a picture, . with one."""
    outages = Outages()
    for second, event in enumerate(events):
        if event == "x":
            outages.update(START_S + second)
        else:
            outages.end()
    assert (outages.count, outages.total_s) == (count, total_s), reason
    assert outages.active == (events[-1] == "x")


def test_nothing_is_due_without_an_outage_and_backoff_starts_anew() -> None:
    outages = Outages()
    assert not outages.report_due(START_S)
    assert not outages.retry_due(START_S)
    due_times(outages.retry_due, outages.retried, outages)
    outages.end()
    assert not outages.retry_due(START_S + 1000)
    outages.update(START_S + 2000)
    assert not outages.retry_due(START_S + 2000.4)
    assert outages.retry_due(START_S + 2000.5)

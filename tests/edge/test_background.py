"""Specify the queue of a sink: which frames a slow one loses, and how its errors are raised."""

from __future__ import annotations

import threading

import pytest

from edge import stopping
from edge.errors import OutputError
from edge.sinks import background
from edge.sinks.background import MAX_QUEUED_PICTURES, Background
from edge.sinks.base import Delivery
from edge.stopping import Stop
from tests.edge.samples import MemorySink, make_frame, write_frames


def write_while_blocked(memory: MemorySink, live: bool) -> Background:
    """Write frame 0, wait until the sink is busy with it, and write 1 to 29 before it goes on."""
    with Background(memory, live) as sink:
        sink.write(make_frame(0), [])
        assert memory.writing.wait(5)
        for i in range(1, 30):
            sink.write(make_frame(i), [])
        memory.release.set()
    return sink


def test_a_slow_sink_of_a_camera_loses_the_oldest_frames_and_counts_them() -> None:
    memory = MemorySink(blocks=True)
    sink = write_while_blocked(memory, live=True)
    assert [frame.index for frame in memory.frames] == [0, *range(30 - MAX_QUEUED_PICTURES, 30)]
    assert sink.dropped == 30 - 1 - MAX_QUEUED_PICTURES
    assert memory.is_closed


@pytest.mark.parametrize("live", [True, False])
def test_a_slow_sink_of_the_newest_frame_gets_the_last_one(live: bool) -> None:
    memory = MemorySink(blocks=True, delivery=Delivery.NEWEST)
    sink = write_while_blocked(memory, live)
    assert [frame.index for frame in memory.frames] == [0, 29]
    assert sink.dropped == 0, "frames that it need not write were counted as lost"


@pytest.mark.parametrize("live", [True, False])
def test_pictures_that_wait_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    monkeypatch.setattr(background, "MAX_QUEUED_BYTES", 2 * make_frame().image.nbytes)
    memory = MemorySink(blocks=True)
    with Background(memory, live) as sink:
        sink.write(make_frame(0), [])
        assert memory.writing.wait(5)
        threading.Timer(0.3, memory.release.set).start()
        for i in range(1, 6):
            sink.write(make_frame(i), [])
            assert len(sink._queue) <= 2
    assert [frame.index for frame in memory.frames] == ([0, 4, 5] if live else [0, 1, 2, 3, 4, 5])


def test_a_slow_sink_of_a_recording_loses_nothing() -> None:
    memory = MemorySink(blocks=True)
    threading.Timer(0.1, memory.release.set).start()
    sink = Background(memory, live=False)
    write_frames(sink, 30)
    assert [frame.index for frame in memory.frames] == list(range(30))
    assert sink.dropped == 0


def test_frames_queued_for_a_text_sink_have_no_pixels() -> None:
    memory = MemorySink()
    memory.needs_picture = False
    write_frames(Background(memory, live=True), 1)
    assert memory.frames[0].image.size == 0


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("count", [1, 1000])
def test_an_error_in_a_sink_ends_the_loop_and_closes_the_others(live: bool, count: int) -> None:
    good = MemorySink()
    bad = MemorySink(raises=OutputError("the disk is full"))

    def write_to_both() -> None:
        with Background(good, live) as first, Background(bad, live) as second:
            for i in range(count):
                first.write(make_frame(i), [])
                second.write(make_frame(i), [])

    with pytest.raises(OutputError, match="disk is full"):
        write_to_both()
    assert good.is_closed
    assert bad.is_closed
    assert good.frames


def test_a_live_sink_that_hangs_is_abandoned_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "CLOSE_TIMEOUT_S", 0.05)
    memory = MemorySink(blocks=True)
    with pytest.raises(OutputError, match="memory does not respond: 3 frames"):
        write_frames(Background(memory, live=True), 3)
    memory.release.set()


def test_a_recording_does_not_wait_for_a_hanging_sink_once_the_run_is_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE_S", 0.1)
    memory = MemorySink(blocks=True)
    stop = Stop()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(OutputError, match="memory does not respond: 30 frames"):
        write_frames(Background(memory, live=False, stop=stop), 30)
    memory.release.set()

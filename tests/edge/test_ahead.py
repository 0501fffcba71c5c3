"""Specify reading ahead: the same frames in the same order, within bounds, and an end in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.sources import ahead, video
from edge.sources.ahead import MAX_FRAMES, ReadAhead
from edge.sources.video import Video
from edge.stopping import Stop
from edge.values import Frame
from tests.edge.test_long_runs import video as write_video


def frames(count: int, read: list[int], side: int = 1) -> Iterator[Frame]:
    """Yield frames, and note in `read` which were asked for."""
    for index in range(count):
        read.append(index)
        yield Frame(index, index / 30, 0.0, np.zeros((side, side, 3), np.uint8))


@pytest.mark.parametrize("count", [0, 1, 3 * MAX_FRAMES])
def test_frames_come_in_order_and_end(count: int) -> None:
    with ReadAhead(frames(count, []), Stop()) as reader:
        assert [frame.index for frame in reader] == list(range(count))


@pytest.mark.parametrize(("side", "most"), [(1, MAX_FRAMES), (4000, 1)], ids=["small", "photographs"])
def test_no_more_is_read_than_fits(side: int, most: int) -> None:
    read: list[int] = []
    with ReadAhead(frames(20, read, side), Stop()) as reader:
        for frame in reader:
            assert len(read) - frame.index <= most + 2, "in hand, in the queue, and in the decoder"


def test_an_error_comes_after_the_frames_before_it() -> None:
    def broken() -> Iterator[Frame]:
        yield from frames(3, [])
        raise SourceError("the file ends here")

    with ReadAhead(broken(), Stop()) as reader:
        iterator = iter(reader)
        assert [next(iterator).index for _ in range(3)] == [0, 1, 2]
        with pytest.raises(SourceError, match="ends here"):
            next(iterator)


def test_a_run_that_is_asked_to_stop_gets_no_more_frames() -> None:
    stop = Stop()
    with ReadAhead(frames(100, []), stop) as reader:
        for frame in reader:
            assert frame.index <= 5
            if frame.index == 5:
                stop.set()


def test_a_file_that_gives_nothing_neither_blocks_the_end_nor_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "END_TIMEOUT_S", 0.05)
    monkeypatch.setattr(video, "CLOSE_TIMEOUT_S", 0.05)
    source = Video(str(write_video(tmp_path / "clip.avi", np.zeros((48, 64, 3), np.uint8), 12)))
    stuck, proceed = threading.Event(), threading.Event()
    read = source._capture.read

    def never() -> None:
        stuck.set()
        proceed.wait()

    monkeypatch.setattr(source._capture, "read", never)
    with ReadAhead(source, source.stop) as reader:
        for _ in zip(range(video.MAX_FIRST_FRAMES), reader, strict=False):  # they were read at the start
            pass
        assert stuck.wait(10)
        started_s = time.monotonic()
        source.stop.set()
        assert not list(reader)
    source.close()
    assert time.monotonic() - started_s < 5
    monkeypatch.setattr(source._capture, "read", read)
    assert source._capture._capture.isOpened(), "closing it under the thread that reads would crash"
    proceed.set()

"""Test which frames get a line with `--every` and `--on-change`."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.__main__ import main
from edge.errors import OutputError
from edge.report.events import EventReader
from edge.report.session import Sessions
from edge.sinks.events import Events
from edge.sinks.thinning import Thinning
from edge.values import Box, EmotionProbabilities, Face, Frame, Reading
from tests.edge.samples import make_context

IMAGE = np.zeros((1, 1, 3), np.uint8)


def reading(id_: int, emotion: str) -> Reading:
    return Reading(id_, Face(Box(0, 0, 9, 9)), EmotionProbabilities({emotion: 1.0}), emotion)


@pytest.mark.parametrize(
    ("thinning", "kept"),
    [
        (Thinning(), [0, 1, 2, 3, 4, 5, 6, 7]),
        (Thinning(every_s=2.0), [0, 2, 4, 6]),
        (Thinning(every_s=2.5), [0, 3, 6]),
        (Thinning(on_change=True), [0, 2, 3, 5, 6]),
        (Thinning(every_s=1.5, on_change=True), [0, 2, 3, 5, 6]),
        (Thinning(every_s=1.0, on_change=True), [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_frames_that_are_kept(thinning: Thinning, kept: list[int]) -> None:
    happy, sad, other = reading(1, "happy"), reading(1, "sad"), reading(2, "sad")
    seen = [[happy], [happy], [sad], [sad, other], [other, sad], [], [], []]
    errors = [None] * 6 + ["lost"] * 2
    keeps = thinning.filter().keeps
    frames = [Frame(i, float(i), 0.0, IMAGE, error=error) for i, error in enumerate(errors)]
    assert [frame.index for frame, readings in zip(frames, seen, strict=True) if keeps(frame, readings)] == kept


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, OutputError])
@pytest.mark.parametrize("lost", [False, True])
def test_a_thinned_file_has_the_sums_of_the_full_one(
    error: type[BaseException] | None, lost: bool, tmp_path: Path
) -> None:
    """Expect the time from the last change to the end of the run, however it ends."""
    frames = [Frame(i, i / 10, 0.0, IMAGE, error="lost" if lost and i > 70 else None) for i in range(100)]
    sums = []
    for thinning in (Thinning(), Thinning(on_change=True)):
        path = tmp_path / f"{thinning.on_change}.jsonl"
        events = Events(str(path), replace(make_context(), thinning=thinning)).__enter__()
        for frame in frames:
            events.write(frame, [] if frame.error else [reading(1, "happy" if frame.index < 40 else "sad")])
        events.__exit__(error, error("the end") if error else None, None)
        sessions = Sessions()
        for event in EventReader(str(path)):
            sessions.add(event, ("happy", "sad"))
        (session,) = sessions.all
        sums.append([session.duration_s, session.lost_s, *session.people[1].seconds.values()])
    assert sums[1] == pytest.approx(sums[0])
    assert sums[0][0] == pytest.approx(9.9)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_a_full_pipe_does_not_hold_up_an_error(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader, writer = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    events = Events(str(pipe), replace(make_context(), thinning=Thinning(on_change=True))).__enter__()
    for i in range(2):
        events.write(Frame(i, float(i), 0.0, IMAGE), [])
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    events.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)  # returns
    os.close(writer)
    os.close(reader)


def test_the_demo_has_one_change(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    command = ["demo", "--max-frames", "20", "--no-display"]
    assert main([*command, "--events", str(events), "--on-change"]) == 0
    assert [json.loads(line)["frame"] for line in events.read_text().splitlines()] == [0, 19]
    with pytest.raises(SystemExit):
        main([*command, "--every", "5"])
    assert "expected --events with --every" in capfd.readouterr().err


def test_pictures_are_all_kept() -> None:
    keeps = Thinning(every_s=60.0, on_change=True).filter().keeps
    assert all(keeps(Frame(i, 0.0, 0.0, IMAGE, name=f"{i}.jpg"), []) for i in range(3))

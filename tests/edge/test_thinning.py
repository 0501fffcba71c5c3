"""Test which frames get a line with `--every` and `--on-change`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.__main__ import main
from edge.sinks.thinning import Thinning
from edge.values import Box, EmotionProbabilities, Face, Frame, Reading

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


def test_the_demo_has_one_change(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    command = ["demo", "--max-frames", "20", "--no-display"]
    assert main([*command, "--events", str(events), "--on-change"]) == 0
    assert [json.loads(line)["frame"] for line in events.read_text().splitlines()] == [0]
    with pytest.raises(SystemExit):
        main([*command, "--every", "5"])
    assert "expected --events with --every" in capfd.readouterr().err


def test_pictures_are_all_kept() -> None:
    keeps = Thinning(every_s=60.0, on_change=True).filter().keeps
    assert all(keeps(Frame(i, 0.0, 0.0, IMAGE, name=f"{i}.jpg"), []) for i in range(3))

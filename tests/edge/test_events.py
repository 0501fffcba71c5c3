"""Specify the text outputs: JSON lines, CSV and the console. Their fields are contracts."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from edge.calibrator import Calibrator
from edge.draw import RED
from edge.labels import EMOTIONS
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.sinks.background import Background
from edge.sinks.console import Console
from edge.sinks.events import Events, event
from edge.values import Box, Frame, Reading
from tests.edge.samples import (
    OUTAGE,
    MemorySink,
    make_context,
    make_frame,
    make_lost_frame,
    make_reading,
    write_frames,
)


def test_an_event_has_the_documented_fields() -> None:
    values = event(make_frame(12, 0.4), [make_reading()])
    assert list(values) == ["frame", "time", "faces"]
    assert (values["frame"], values["time"]) == (12, 0.4)
    (face,) = values["faces"]
    assert list(face) == ["id", "box", "score", "emotion", "confidence", "probabilities"]
    assert face["box"] == [20, 30, 60, 60]
    assert (face["id"], face["emotion"], face["confidence"], face["score"]) == (1, "happy", 0.7, 0.98)
    assert list(face["probabilities"]) == list(EMOTIONS)
    json.dumps(values)


def test_an_event_of_a_picture_names_its_file() -> None:
    assert event(make_frame(name="a.jpg"), []) == {"frame": 0, "time": 0.0, "file": "a.jpg", "faces": []}


def test_each_event_is_flushed_as_a_complete_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with Events(str(path), make_context()) as sink:
        sink.write(make_frame(0), [make_reading()])
        assert len(path.read_text().splitlines()) == 1, "not flushed before the file is closed"
        sink.write(make_frame(1), [])
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [0, 1]


def test_csv_has_a_row_for_each_face_and_one_for_a_frame_without(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    with Events(str(path), make_context()) as sink:
        sink.write(make_frame(3, 0.1), [make_reading(), make_reading(Box(1, 2, 3, 4))])
        sink.write(make_frame(4, 0.2, name='a "strange", name.jpg'), [])
        sink.write(make_lost_frame(5, 0.3), [])
    first, second, empty, lost = csv.DictReader(path.open(newline=""))
    assert list(first)[:7] == ["frame", "time", "id", "x", "y", "width", "height"]
    assert list(first)[7:10] == ["score", "emotion", "confidence"]
    assert list(first)[10:] == [*EMOTIONS, "file", "trouble", "calibrated"]
    assert [first[key] for key in ("frame", "time", "id", "x", "emotion", "confidence")] == [
        *("3", "0.1", "1", "20", "happy", "0.7")
    ]
    assert (first["happy"], first["angry"], first["file"], first["trouble"]) == ("0.7", "0.05", "", "")
    assert (second["frame"], second["x"], second["height"]) == ("3", "1", "4")
    assert (empty["frame"], empty["id"], empty["happy"], empty["file"]) == ("4", "", "", 'a "strange", name.jpg')
    assert (lost["frame"], lost["id"], lost["trouble"]) == ("5", "", OUTAGE)


class StubPipeline(Pipeline):
    """Read a happy face from every frame of a working camera."""

    def __init__(self) -> None:
        self.meter = Meter()
        self.calibrator = Calibrator(EMOTIONS)

    def step(self, frame: Frame) -> list[Reading]:
        assert frame.error is None, "a picture from before the outage was read as if it were live"
        return [make_reading()]


def test_an_outage_is_visible_on_every_output_and_its_frames_are_not_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = [make_frame(0, 0.0), make_lost_frame(1, 2.0), make_lost_frame(2, 2.5), make_frame(3, 3.0)]
    memory = MemorySink()
    pipeline = StubPipeline()
    path = tmp_path / "events"
    with Events(str(path), make_context()) as events, Console("", make_context()) as console:
        loop(frames, pipeline, [memory, events, console])
    values = [json.loads(line) for line in path.read_text().splitlines()]
    assert [value.get("trouble") for value in values] == [None, OUTAGE, OUTAGE, None]
    assert [len(value["faces"]) for value in values] == [1, 0, 0, 1]
    assert capfd.readouterr().out.splitlines() == [
        "   0.00 s  face 1: happy 70%",
        f"   2.00 s  {OUTAGE}",
        "   3.00 s  camera back after 1.0 s",
    ]
    image = memory.frames[1].image
    assert image[0, 0, 0] < 40, "not dimmed"
    assert (image[60] == RED).all(axis=-1).any(), "no banner"
    assert pipeline.meter.frames == 2
    assert len(pipeline.meter.stage("capture").times_s) == 2, "waiting for a lost camera is no time of capture"


def test_a_closed_pipe_ends_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        sink = Background(Events("-", make_context()), live=False)
        with pytest.raises(BrokenPipeError):
            write_frames(sink, 1000)

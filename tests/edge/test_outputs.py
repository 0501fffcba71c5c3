from __future__ import annotations

import contextlib
import csv
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.draw import ALARM, annotate, lost
from edge.errors import OutputError
from edge.labels import EMOTIONS
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline, loop
from edge.sinks import background, window
from edge.sinks.background import PICTURES, Background
from edge.sinks.events import Console, Events, event
from edge.sinks.video import VideoFile
from edge.values import Box, Face, Frame, Reading

BOX = Box(20, 30, 60, 60)


def reading(box: Box = BOX) -> Reading:
    values = np.full(7, 0.05, dtype=np.float32)
    values[EMOTIONS.index("happy")] = 0.7
    return Reading(1, Face(box, 0.98), EMOTIONS, values)


def frame(index: int = 0, time_s: float = 0.0, name: str | None = None) -> Frame:
    return Frame(index, time_s, 0.0, np.full((120, 160, 3), 90, dtype=np.uint8), name)


def test_an_event_has_the_documented_form() -> None:
    found = event(frame(12, 0.4), [reading()])
    assert list(found) == ["frame", "time", "faces"]
    assert (found["frame"], found["time"]) == (12, 0.4)
    (face,) = found["faces"]
    assert list(face) == ["id", "box", "score", "emotion", "confidence", "probabilities"]
    assert face["box"] == [20, 30, 60, 60]
    assert (face["id"], face["emotion"], face["confidence"], face["score"]) == (1, "happy", 0.7, 0.98)
    assert list(face["probabilities"]) == list(EMOTIONS)
    json.dumps(found)


def test_a_picture_names_its_file_and_an_empty_frame_its_emptiness() -> None:
    assert event(frame(name="a.jpg"), []) == {"frame": 0, "time": 0.0, "file": "a.jpg", "faces": []}


def test_events_are_whole_lines_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with Events(str(path), EMOTIONS) as sink:
        sink.write(frame(0), [reading()])
        assert len(path.read_text().splitlines()) == 1  # there before the file is closed
        sink.write(frame(1), [])
    assert [json.loads(line)["frame"] for line in path.read_text().splitlines()] == [0, 1]


def test_drawing_marks_the_face_and_leaves_the_frame_alone() -> None:
    image = frame().image
    drawn = annotate(image, [reading()])
    assert (image == 90).all()
    assert (drawn[30, 20:80] != 90).any()
    assert (annotate(image, []) == image).all()


@pytest.mark.parametrize("box", [Box(-30, -30, 60, 60), Box(140, 100, 60, 60), Box(0, 0, 160, 120), Box(5, 5, 1, 1)])
@pytest.mark.parametrize("shape", [(120, 160, 3), (24, 24, 3), (2160, 3840, 3)])
def test_drawing_survives_every_box_and_size(box: Box, shape: tuple[int, int, int]) -> None:
    assert annotate(np.zeros(shape, dtype=np.uint8), [reading(box)], fps=30).shape == shape


def frames_of(path: Path) -> int:
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


@pytest.mark.parametrize(
    ("times", "expected", "why"),
    [
        ([i / 25 for i in range(10)], 10, "a file: one for one"),
        ([i / 10 for i in range(5)], 11, "a loop of 10 FPS: frames repeat, 0.4 s stay 0.4 s"),
        ([i / 100 for i in range(41)], 11, "a loop of 100 FPS: frames are left out"),
    ],
)
def test_a_recording_plays_at_the_speed_of_life(tmp_path: Path, times: list[float], expected: int, why: str) -> None:
    path = tmp_path / "out.avi"
    with VideoFile(path, 25.0) as sink:
        for i, time_s in enumerate(times):
            sink.write(frame(i, time_s), [])
    assert frames_of(path) == expected, why
    assert [item.name for item in tmp_path.iterdir()] == ["out.avi"]


def test_a_recording_survives_an_error_in_the_loop(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with contextlib.suppress(RuntimeError), VideoFile(path, 25.0) as sink:
        sink.write(frame(), [])
        raise RuntimeError
    assert frames_of(path) == 1


def test_a_recording_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    with VideoFile(tmp_path / "out.mp4", 25.0):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("key", "visible", "stops"), [(ord("q"), 1, True), (27, 1, True), (-1, 1, False), (-1, 0, True)]
)
def test_q_escape_and_closing_the_window_end(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: float, stops: bool
) -> None:
    shown: list[np.ndarray] = []
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
    stop = threading.Event()
    with window.Window(stop) as sink:
        sink.write(frame(), [])
        sink.write(frame(1), [])
    assert stop.is_set() == stops
    assert len(shown) == (2 if visible else 1)


def test_no_display_is_found_out_by_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert window.unavailable() == "no display"
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:      NONE\n")
    assert "headless" in str(window.unavailable())
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:      QT5\n")
    monkeypatch.setattr(window, "_display_answers", lambda: True)
    assert window.unavailable() is None
    monkeypatch.setattr(window, "_display_answers", lambda: False)
    assert "does not answer" in str(window.unavailable())


def test_a_picture_in_a_window_waits_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows", "imshow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1)
    stop, polls = threading.Event(), []

    def nobody_presses_a_key(_: int) -> int:
        polls.append(1)
        if len(polls) == 5:
            stop.set()  # as a signal handler does
        return -1

    monkeypatch.setattr(cv2, "waitKey", nobody_presses_a_key)
    with window.Window(stop) as sink:
        sink.write(frame(name="a.jpg"), [])
    assert len(polls) == 5


def test_csv_has_a_row_a_face_and_one_for_none(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    with Events(str(path), EMOTIONS) as sink:
        sink.write(frame(3, 0.1), [reading(), reading(Box(1, 2, 3, 4))])
        sink.write(frame(4, 0.2, name='a "strange", name.jpg'), [])
        sink.write(lost_frame(5, 0.3), [])
    first, second, nobody, lost = csv.DictReader(path.open(newline=""))
    assert list(first)[:7] == ["frame", "time", "id", "x", "y", "width", "height"]
    assert list(first)[7:10] == ["score", "emotion", "confidence"]
    assert list(first)[10:] == [*EMOTIONS, "file", "trouble"]
    assert [first[key] for key in ("frame", "time", "id", "x", "emotion", "confidence")] == [
        *("3", "0.1", "1", "20", "happy", "0.7")
    ]
    assert (first["happy"], first["angry"], first["file"], first["trouble"]) == ("0.7", "0.05", "", "")
    assert (second["frame"], second["x"], second["height"]) == ("3", "1", "4")
    assert (nobody["frame"], nobody["id"], nobody["happy"], nobody["file"]) == ("4", "", "", 'a "strange", name.jpg')
    assert (lost["frame"], lost["id"], lost["trouble"]) == ("5", "", TROUBLE)


TROUBLE = "camera lost: no frame for 2 s, reopening"


def lost_frame(index: int = 0, time_s: float = 0.0) -> Frame:
    return replace(frame(index, time_s), error=TROUBLE)


class Unread(Pipeline):
    def __init__(self) -> None:
        self.meter = Meter()

    def step(self, frame: Frame) -> list[Reading]:
        assert frame.error is None, "a picture from before the loss was read as if it were live"
        return [reading()]


class Kept:
    """An output that keeps what it is given; `blocks` until it is let go."""

    wants_picture = True
    name = "kept"

    def __init__(self, blocks: bool = False, fails: Exception | None = None) -> None:
        self.frames: list[Frame] = []
        self.writing, self.go = threading.Event(), threading.Event()
        self.fails, self.closed = fails, False
        if not blocks:
            self.go.set()

    def __enter__(self) -> Kept:
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        self.writing.set()
        self.go.wait(20)
        if self.fails:
            raise self.fails
        self.frames.append(frame)

    def __exit__(self, *_: object) -> None:
        self.closed = True


def test_a_lost_camera_is_told_on_every_output_and_never_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = [frame(0, 0.0), lost_frame(1, 2.0), lost_frame(2, 2.5), frame(3, 3.0)]
    kept, pipeline = Kept(), Unread()
    with Events(str(tmp_path / "e"), EMOTIONS) as lines, Console() as console:
        loop(frames, pipeline, [kept, lines, console])
    told = [json.loads(line) for line in (tmp_path / "e").read_text().splitlines()]
    assert [event.get("trouble") for event in told] == [None, TROUBLE, TROUBLE, None]
    assert [len(event["faces"]) for event in told] == [1, 0, 0, 1]
    assert capfd.readouterr().out.splitlines() == [
        "   0.00 s  face 1: happy 70%",
        f"   2.00 s  {TROUBLE}",
        "   3.00 s  camera back after 1.0 s",
    ]
    shown = kept.frames[1].image
    assert shown[0, 0, 0] < 40, "dimmed"
    assert (shown[60] == ALARM).all(axis=-1).any(), "with a banner"
    assert pipeline.meter.frames == 2


@pytest.mark.parametrize("shape", [(120, 160, 3), (60, 80, 3), (2160, 3840, 3)])
def test_the_banner_fits_every_picture(shape: tuple[int, int, int]) -> None:
    shown = lost(np.zeros(shape, dtype=np.uint8), TROUBLE)
    assert shown.shape == shape
    assert (shown[:, -1] == ALARM).all(axis=-1).any()
    assert not (shown[:, -1] == 255).any(), "the text runs out of the picture"


def write_all(sink: Background, count: int) -> None:
    with sink:
        for i in range(count):
            sink.write(frame(i), [])


def test_a_slow_output_of_a_camera_loses_its_oldest_and_holds_nobody_up() -> None:
    kept = Kept(blocks=True)
    with Background(kept, live=True) as sink:
        sink.write(frame(0), [])
        assert kept.writing.wait(5)
        for i in range(1, 30):
            sink.write(frame(i), [])
        kept.go.set()
    assert [item.index for item in kept.frames] == [0, *range(30 - PICTURES, 30)]
    assert sink.dropped == 30 - 1 - PICTURES
    assert kept.closed


def test_a_slow_output_of_a_file_loses_nothing() -> None:
    kept = Kept(blocks=True)
    threading.Timer(0.1, kept.go.set).start()
    sink = Background(kept, live=False)
    write_all(sink, 30)
    assert [item.index for item in kept.frames] == list(range(30))
    assert sink.dropped == 0


def test_frames_that_wait_for_a_text_output_hold_no_picture() -> None:
    kept = Kept()
    kept.wants_picture = False
    with Background(kept, live=True) as sink:
        sink.write(frame(0), [])
    assert kept.frames[0].image.size == 0


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("most", [1, 1000])
def test_an_error_in_an_output_ends_the_loop_and_the_others_close(live: bool, most: int) -> None:
    good, bad = Kept(), Kept(fails=OutputError("the disk is full"))

    def run_it() -> None:
        with Background(good, live) as first, Background(bad, live) as second:
            for i in range(most):
                first.write(frame(i), [])
                second.write(frame(i), [])

    with pytest.raises(OutputError, match="disk is full"):
        run_it()
    assert good.closed
    assert bad.closed
    assert good.frames


def test_a_live_output_that_never_moves_is_given_up_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "CLOSE_S", 0.05)
    kept = Kept(blocks=True)
    with pytest.raises(OutputError, match="kept takes no more: 3 frames"):
        write_all(Background(kept, live=True), 3)
    kept.go.set()


def test_a_reader_that_goes_away_ends_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        with pytest.raises(BrokenPipeError):
            write_all(Background(Events("-", EMOTIONS), live=False), 1000)


def test_a_snapshot_never_falls_upon_another(tmp_path: Path) -> None:
    image = frame().image
    (tmp_path / "snapshot-001.png").write_text("mine")
    assert window.snapshot(image, tmp_path) == f"snapshot: {tmp_path / 'snapshot-002.png'}"
    assert window.snapshot(image, tmp_path) == f"snapshot: {tmp_path / 'snapshot-003.png'}"
    assert (tmp_path / "snapshot-001.png").read_text() == "mine"
    assert (cv2.imread(str(tmp_path / "snapshot-003.png")) == image).all()
    assert "no snapshot" in window.snapshot(image, tmp_path / "nowhere")


def test_s_keeps_the_picture_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("namedWindow", "resizeWindow", "destroyAllWindows", "imshow"):
        monkeypatch.setattr(cv2, name, lambda *_: None)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1)
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("s"))
    monkeypatch.chdir(tmp_path)
    stop = threading.Event()
    with window.Window(stop) as sink:
        sink.write(frame(), [])
    assert not stop.is_set()
    assert [item.name for item in tmp_path.iterdir()] == ["snapshot-001.png"]
    assert "snapshot-001.png" in capsys.readouterr().err

from __future__ import annotations

import contextlib
import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from edge.draw import annotate
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.sinks import window
from edge.sinks.events import Events, event
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
    with Events(str(path)) as sink:
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


def test_a_reader_that_goes_away_ends_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError), Events("-") as sink:
        sink.write(frame(), [])

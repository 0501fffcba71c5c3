"""Specify the window: its keys, its snapshots, and when there can be none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.opencv import cv2
from edge.sinks import window
from edge.stopping import Stop
from edge.values import Frame
from tests.edge.samples import make_context, make_frame, replace_windows


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Replace OpenCV's windows; return the list of images that are shown."""
    return replace_windows(monkeypatch)


def press(monkeypatch: pytest.MonkeyPatch, key: Callable[[int], int]) -> None:
    """Answer OpenCV's question for a key."""
    monkeypatch.setattr(cv2, "waitKey", key)


@pytest.mark.parametrize(
    ("key", "visible", "stops"), [(ord("q"), 1, True), (27, 1, True), (-1, 1, False), (-1, 0, True)]
)
def test_q_escape_and_closing_the_window_stop_the_run(
    images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, key: int, visible: float, stops: bool
) -> None:
    press(monkeypatch, lambda _: key)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: visible)
    stop = Stop()
    with window.Window("", make_context(stop=stop)) as sink:
        sink.write(make_frame(), [])
        sink.write(make_frame(1), [])
    assert stop.is_set() == stops
    assert len(images) == (2 if visible else 1)


def test_a_picture_stays_until_a_key_or_a_signal(images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    polls = []

    def no_key(_: int) -> int:
        polls.append(1)
        if len(polls) == 5:
            stop.set()  # as a signal handler does
        return -1

    press(monkeypatch, no_key)
    with window.Window("", make_context(stop=stop)) as sink:
        sink.write(make_frame(name="a.jpg"), [])
    assert len(polls) == 5


@pytest.mark.parametrize(
    ("picture", "window_size"),
    [
        ((640, 480), (640, 480)),
        ((1920, 1080), (1280, 720)),
        ((3840, 2160), (1280, 720)),
        ((1080, 1920), (405, 720)),
        ((4000, 10), (1280, 3)),
    ],
)
def test_a_picture_of_any_size_fits_on_the_screen(
    images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, picture: tuple[int, int], window_size: tuple[int, int]
) -> None:
    press(monkeypatch, lambda _: -1)
    sizes = []
    monkeypatch.setattr(cv2, "resizeWindow", lambda _, *size: sizes.append(size))
    with window.Window("", make_context()) as sink:
        for index in range(2):
            sink.write(Frame(index, 0.0, 0.0, np.zeros((picture[1], picture[0], 3), dtype=np.uint8)), [])
    assert sizes == [window_size]


def test_s_saves_the_picture_on_the_screen(
    images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    press(monkeypatch, lambda _: ord("s"))
    monkeypatch.chdir(tmp_path)
    stop = Stop()
    with window.Window("", make_context(stop=stop)) as sink:
        sink.write(make_frame(), [])
    assert not stop.is_set()
    assert [item.name for item in tmp_path.iterdir()] == ["snapshot-001.png"]
    assert "snapshot-001.png" in capsys.readouterr().err


def test_a_snapshot_overwrites_no_file(tmp_path: Path) -> None:
    image = make_frame().image
    (tmp_path / "snapshot-001.png").write_text("mine")
    assert window.snapshot(image, tmp_path) == f"snapshot: {tmp_path / 'snapshot-002.png'}"
    assert window.snapshot(image, tmp_path) == f"snapshot: {tmp_path / 'snapshot-003.png'}"
    assert (tmp_path / "snapshot-001.png").read_text() == "mine"
    assert (cv2.imread(str(tmp_path / "snapshot-003.png")) == image).all()
    assert "no snapshot" in window.snapshot(image, tmp_path / "nowhere")


def test_the_reason_for_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert window.window_unavailable() == "no display"
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:      NONE\n")
    assert "headless" in str(window.window_unavailable())
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:      QT5\n")
    monkeypatch.setattr(window, "_display_responds", lambda: True)
    assert window.window_unavailable() is None
    monkeypatch.setattr(window, "_display_responds", lambda: False)
    assert "does not respond" in str(window.window_unavailable())

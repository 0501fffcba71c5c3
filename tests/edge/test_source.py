"""Test opening a source by its name, and recordings: every frame, in order, the same each time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from edge import source as source_module
from edge.errors import SourceError, UsageError
from edge.opencv import cv2
from edge.source import open_source, paced
from edge.sources import demo
from edge.sources.base import CameraSettings, Source
from edge.values import Frame, Image
from tests.edge.samples import make_video


def make_picture(path: Path, value: int = 1) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), value, dtype=np.uint8))
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nowhere.mp4", "no source 'nowhere.mp4'"),
        ("99999", "no source '99999'"),
        ("/dev/null", "neither"),
        ("nowhere/*.jpg", "found none"),
    ],
)
def test_unknown_source_is_an_error(text: str, expected: str) -> None:
    with pytest.raises(SourceError, match=expected):
        open_source(text)


class ToyRecording(Source):
    @staticmethod
    def accepts(text: str) -> bool:
        return text == "toy"

    def images(self) -> Iterator[tuple[Image, str | None]]:
        yield np.zeros((4, 4, 3), dtype=np.uint8), None


class ToyDevice:
    supported_settings = ("fps",)
    may_be_still = False
    notice = None

    def __init__(self, text: str, settings: CameraSettings) -> None:
        self.fps = settings.fps or 30.0

    @staticmethod
    def accepts(text: str) -> bool:
        return text == "toy"

    def read(self) -> Image | None:
        return np.zeros((4, 4, 3), dtype=np.uint8)

    def release(self) -> None:
        pass


def test_new_recording_is_one_class_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "RECORDINGS", (*source_module.RECORDINGS, ToyRecording))
    with open_source("toy") as source:
        assert [frame.image.shape for frame in source] == [(4, 4, 3)]


def test_new_device_is_one_class_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "DEVICES", (*source_module.DEVICES, ToyDevice))
    with open_source("toy", settings=CameraSettings(fps=5)) as source:
        assert source.live
        assert source.fps == 5
        assert next(iter(source)).image.shape == (4, 4, 3)


def test_demo_moves_and_is_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DEMO_FRAMES", 40)
    first, second = (list(open_source("demo")) for _ in range(2))
    assert len(first) == 40
    assert all((a.image == b.image).all() for a, b in zip(first, second, strict=True))
    assert first[0].image.shape == (480, 640, 3)
    assert np.abs(first[0].image.astype(int) - first[10].image).mean() > 10
    assert first[30].time_s == pytest.approx(1.0)


def test_endless_demo_starts_again_after_its_last_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DEMO_FRAMES", 5)
    with open_source("demo", endless_demo=True) as source:
        frames = list(islice(source, 6))
    assert (frames[5].image == frames[0].image).all()
    assert (frames[4].image != frames[0].image).any()


def test_video_gives_every_frame_in_order(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 12))) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time_s for frame in frames] == pytest.approx([i / 25 for i in range(12)])
    assert [round(frame.image.mean() / 10) for frame in frames] == list(range(12))
    assert all(frame.name is None for frame in frames)


def test_truncated_video_gives_the_frames_that_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_video(tmp_path / "clip.avi", 40, step=5)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    announced = int(cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FRAME_COUNT))
    count = len(list(open_source(str(clip))))
    assert 5 < count < announced
    assert f"gave {count} of the {announced} frames" in capsys.readouterr().err


def test_realtime_plays_a_video_like_a_camera(tmp_path: Path) -> None:
    start_s = time.monotonic()
    with open_source(str(make_video(tmp_path / "clip.avi", 11, step=0)), realtime=True) as source:
        assert source.live
        frames = []
        for frame in source:
            frames.append(frame)
            time.sleep(0.1)  # slower than the clip
    assert 10 / 25 <= time.monotonic() - start_s < 5
    assert source.dropped > 0
    assert frames[-1].index == 10
    assert len(frames) + source.dropped == 11
    assert all(frame.error is None for frame in frames), "a clip of one repeated picture is not a frozen camera"


def test_realtime_is_refused_for_pictures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--realtime"):
        open_source(str(make_picture(tmp_path / "a.png")), realtime=True)


def test_paced_frames_take_as_long_as_the_clip(tmp_path: Path) -> None:
    with open_source(str(make_video(tmp_path / "clip.avi", 6))) as source:
        start_s = time.monotonic()
        assert len(list(paced(source))) == 6
        assert time.monotonic() - start_s >= 5 / 25


def test_the_wait_for_a_paced_frame_serves_the_window_and_ends_with_the_run() -> None:
    """Wait for the second frame of a time-lapse, an hour after the first."""

    class TimeLapse(Source):
        def read_frames(self) -> Iterator[Frame]:
            for i in range(2):
                yield Frame(i, 3600.0 * i, 0.0, np.zeros((4, 4, 3), dtype=np.uint8))

    source = TimeLapse("time-lapse")
    source.idle = source.stop.set  # as the window does when q is pressed
    start_s = time.monotonic()
    assert next(iter(paced(source))).index == 0
    list(paced(source))
    assert time.monotonic() - start_s < 5


def test_folder_gives_its_pictures_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, value in (("b.png", 20), ("a.jpg", 10), ("c.PNG", 30)):
        make_picture(tmp_path / name, value)
    (tmp_path / "notes.txt").write_text("not a picture")
    with open_source(str(tmp_path)) as source:
        frames = [(frame.name, int(frame.image[0, 0, 0])) for frame in source]
        assert source.independent
    assert frames == [("a.jpg", 10), ("b.png", 20), ("c.PNG", 30)]


def test_damaged_picture_among_others_is_skipped_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"not a picture")
    with open_source(str(tmp_path)) as source:
        assert [frame.name for frame in source] == ["a.png"]
    assert source.skipped == 1
    assert "b.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "names", "reason"),
    [
        ("*/*.png", ["x/1.png", "y/1.png", "y/2.png"], "names are relative to the common folder"),
        ("{folder}/y/?.*", ["1.png", "2.png", "3.jpg"], "an absolute pattern"),
        ("**/1.png", ["x/1.png", "y/1.png"], "any depth"),
        ("[z].png", ["[z].png"], "an existing file is not a pattern"),
    ],
)
def test_glob_pattern_gives_unique_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, names: list[str], reason: str
) -> None:
    for name in ("x/1.png", "y/1.png", "y/2.png", "y/3.jpg", "[z].png"):
        make_picture(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert [frame.name for frame in open_source(pattern.format(folder=tmp_path))] == names, reason

"""Test the pipeline's lower bound, its clip, the peer, and the steadiness command."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks import steadiness
from benchmarks.__main__ import main
from benchmarks.measure.child import open_child
from benchmarks.measure.clip import Clip, cut_frames
from benchmarks.measure.lower_bound import time_turns
from benchmarks.measure.peer import open_peer
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.detectors.base import Detector
from edge.errors import SourceError
from edge.meter import Meter
from edge.pipeline import Pipeline
from edge.sources.demo import PHOTOGRAPH, demo_images
from edge.values import Box, Face, Frame

A = Box(0, 0, 40, 40)
A_MOVED = Box(5, 0, 40, 40)
B = Box(100, 100, 40, 40)
FAKE_FER = """
import time
class FER:
    def __init__(self, mtcnn): assert mtcnn is False
    def detect_emotions(self, image): print("chatter"); time.sleep(float(image[0, 0, 0]) / 1000)
"""


@pytest.mark.parametrize(
    ("boxes", "others", "expected"),
    [
        ([], [], True),
        ([A], [], False),
        ([], [A], False),
        ([A], [A_MOVED], True),
        ([A], [B], False),
        ([A, B], [B, A_MOVED], True),  # in any order
        ([A, A_MOVED], [A, B], False),  # two of ours match the same one
    ],
)
def test_boxes_match_one_to_one(boxes: list[Box], others: list[Box], expected: bool) -> None:
    assert steadiness.same_boxes(boxes, others) is expected


class Slow(Detector):
    """Find nothing in 3 ms, 2 of them in the library call."""

    name = "slow"
    detect_interval = 1

    def __init__(self, model: Path | None = None) -> None:
        self.invoke = lambda: time.sleep(0.002)

    def detect(self, image: np.ndarray, smallest: float | None = None) -> list[Face]:
        self.invoke()
        time.sleep(0.001)
        return []


def demo_frames(count: int) -> list[Frame]:
    return [Frame(i, i / 30, 0.0, image) for i, image in enumerate(islice(demo_images(300), count))]


def test_the_lower_bound_is_the_library_calls_alone() -> None:
    classifier = Classifier(open_backend(SHIPPED))
    times = time_turns(lambda: Pipeline(Slow(), classifier, Meter()), demo_frames(25), passes=2)
    assert times.pipeline.shape == times.library_calls.shape == (2, 3)
    frames_per_turn = np.array([10, 10, 5])
    assert (times.library_calls >= 2.0 * frames_per_turn).all()
    assert (times.pipeline >= 3.0 * frames_per_turn).all()
    assert times.library_calls.sum() < times.pipeline.sum()
    assert times.peer is None


def test_the_lower_bound_repeats_each_library_call_of_the_pipeline() -> None:
    detector = open_detector("haar")
    classifier = Classifier(open_backend(SHIPPED))
    calls: list[str] = []
    detect = detector.invoke
    infer = classifier.backend.invoke
    detector.invoke = lambda *args, **options: (calls.append("detect"), detect(*args, **options))[1]
    classifier.backend.invoke = lambda: (calls.append("classify"), infer())[1]
    turns: list[range] = []

    def time_peer(turn: range) -> list[float]:
        turns.append(turn)
        return [1.0] * 10

    times = time_turns(lambda: Pipeline(detector, classifier, Meter()), demo_frames(20), 1, time_peer)
    assert turns == [range(10), range(10, 20)]
    assert times.peer is not None
    assert times.peer.tolist() == [10.0, 10.0]
    # Recorded, in the pipeline, alone: frames 0, 1 and 10; and, uncounted, those of each turn's first frame.
    assert calls.count("detect") == 3 * 3 + 2
    assert calls.count("classify") == 3 * 20 + 2


@pytest.mark.parametrize("faces", [1, 4])
def test_frames_have_the_requested_resolution(faces: int) -> None:
    clip = Clip("demo", demo_frames(8), fps=30.0)
    frames = cut_frames(clip, (320, 320), faces)
    assert [frame.image.shape for frame in frames] == [(320, 320, 3)] * 8
    if faces == 4:
        moments = cut_frames(clip, (160, 160), 1)
        np.testing.assert_array_equal(frames[0].image[160:, 160:], moments[6].image)


@pytest.mark.slow
def test_tracking_the_demo_agrees_with_detecting_on_every_frame() -> None:
    result = steadiness.measure(open_detector("haar"), Classifier(open_backend(SHIPPED)), demo_frames(60), None)
    assert result.agreement >= 0.95
    assert result.detections == 7
    assert result.ids == 1
    raw = result.changes_per_s["raw"]
    shown = result.changes_per_s["shown"]
    assert raw is not None
    assert shown is not None
    assert shown <= raw


def test_a_peer_is_timed_on_our_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fer").mkdir()
    (tmp_path / "fer" / "__init__.py").write_text("")
    (tmp_path / "fer" / "fer.py").write_text(FAKE_FER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    images = [np.full((2, 2, 3), milliseconds, np.uint8) for milliseconds in (1, 20, 40)]
    with open_peer(sys.executable, images) as peer:
        second, third = peer.time(range(1, 3))
    assert second >= 20
    assert third >= 40


@pytest.mark.parametrize(
    ("script", "reason"), [("", "status 0"), ("echo no json", "found 'no json'"), ("kill -9 $$", "signal 9")]
)
def test_a_process_without_an_answer_is_an_error_with_its_reason(script: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason), open_child(["sh", "-c", script], SourceError) as child:
        child.ask("1 2")


def test_a_process_that_dies_between_two_turns_is_one_error() -> None:
    """Raise no second error for the line that it never reads, which would hide the first."""
    with open_child(["sh", "-c", "echo 1; exec sleep 60"], SourceError) as child:  # exec: no child holds the pipe open
        assert child.ask() == 1
        child._process.kill()
        with pytest.raises(SourceError, match="killed by signal 9"):
            child.ask("1 2")


def test_a_python_without_the_peer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    images = [np.zeros((2, 2, 3), np.uint8)] * 2
    with pytest.raises(SourceError, match="No module named"), open_peer(sys.executable, images):
        pass


@pytest.mark.slow
def test_the_steadiness_command_prints_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steadiness, "read_clip", lambda source: Clip(source, demo_frames(30), fps=30.0))
    assert steadiness.main(["--sources", "demo"]) == 0
    output = capsys.readouterr().out
    assert "| `demo` | haar | 30 |" in output
    assert "tracked boxes agree with those of a detection on every frame (IoU 0.5)" in output


def test_pictures_are_no_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--source", str(PHOTOGRAPH), "--out", str(tmp_path)]) == 2
    assert "expected a clip" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

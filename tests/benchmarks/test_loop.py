"""The loop's benchmark: its arithmetic on known figures, and the command as a person runs it."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks import steadiness
from benchmarks.__main__ import main
from benchmarks.measure import limit
from benchmarks.measure.child import open_child
from benchmarks.measure.peer import open_peer
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.errors import SourceError
from edge.meter import Meter
from edge.pipeline import Pipeline
from edge.sources.demo import demo_images
from edge.values import Box, Face, Frame

A, A_MOVED, B = Box(0, 0, 40, 40), Box(5, 0, 40, 40), Box(100, 100, 40, 40)
FAKE_FER = """
import time
class FER:
    def __init__(self, mtcnn): assert mtcnn is False
    def detect_emotions(self, image): print("chatter"); time.sleep(float(image[0, 0, 0]) / 1000)
"""


@pytest.mark.parametrize(
    ("some", "others", "agree"),
    [
        ([], [], True),
        ([A], [], False),
        ([], [A], False),
        ([A], [A_MOVED], True),
        ([A], [B], False),
        ([A, B], [B, A_MOVED], True),  # in any order
        ([A, A_MOVED], [A, B], False),  # two of ours on one of theirs
    ],
)
def test_boxes_agree_one_to_one(some: list[Box], others: list[Box], agree: bool) -> None:
    assert steadiness.same_boxes(some, others) is agree


class Slow:
    """A detector that takes 3 ms, 2 of them in its library."""

    name, detect_interval, cores = "slow", 1, 1

    def __init__(self) -> None:
        self.invoke = lambda: time.sleep(0.002)

    def detect(self, image: np.ndarray) -> list[Face]:
        self.invoke()
        time.sleep(0.001)
        return []

    def close(self) -> None: ...


def frames(count: int) -> list[Frame]:
    return [Frame(i, i / 30, 0.0, image) for i, image in enumerate(islice(demo_images(300), count))]


def test_the_limit_is_the_raw_calls_alone() -> None:
    classifier = Classifier(open_backend(SHIPPED))
    times = limit.measure(lambda: Pipeline(Slow(), classifier, Meter()), frames(25), passes=2)
    assert times.loop.shape == times.limit.shape == (2, 3)
    each = np.array([10, 10, 5])
    assert (times.limit >= 2.0 * each).all()
    assert (times.loop >= 3.0 * each).all()
    assert np.median(times.limit) < np.median(times.loop)
    assert times.peer is None


def test_the_limit_repeats_each_raw_call_of_the_loop() -> None:
    detector, classifier = open_detector("haar"), Classifier(open_backend(SHIPPED))
    counted: list[str] = []
    search, invoke = detector.invoke, classifier.backend.invoke
    detector.invoke = lambda *args, **options: (counted.append("haar"), search(*args, **options))[1]
    classifier.backend.invoke = lambda: (counted.append("classify"), invoke())[1]
    asked: list[range] = []
    peer = limit.measure(
        lambda: Pipeline(detector, classifier, Meter()), frames(20), 1, lambda part: (asked.append(part), [1.0] * 10)[1]
    ).peer
    assert asked == [range(10), range(10, 20)]
    assert peer is not None
    assert peer.tolist() == [10.0, 10.0]
    # Recorded, in the loop, alone: frames 0, 1 and 11; and, uncounted, those of each turn's first frame.
    assert counted.count("haar") == 3 * 3 + 1
    assert counted.count("classify") == 3 * 20 + 2


def test_following_the_demo_agrees_with_detecting_always() -> None:
    found = steadiness.measure(open_detector("haar"), Classifier(open_backend(SHIPPED)), frames(60), None)
    assert found["agreement"] >= 0.95
    assert found["detections"] == 7
    changes = found["changes_per_s"]
    assert changes["shown"] <= changes["raw"]


def test_a_peer_is_timed_on_our_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fer").mkdir()
    (tmp_path / "fer" / "__init__.py").write_text("")
    (tmp_path / "fer" / "fer.py").write_text(FAKE_FER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    images = [np.full((2, 2, 3), milliseconds, np.uint8) for milliseconds in (1, 20, 40)]
    with open_peer(sys.executable, images) as peer:
        second, third = peer(range(1, 3))
    assert 20 <= second < third
    assert third >= 40


@pytest.mark.parametrize(
    ("answer", "why"), [("", "status 0"), ("echo no json", "it says 'no json'"), ("kill -9 $$", "signal 9")]
)
def test_a_process_that_does_not_answer_says_why(answer: str, why: str) -> None:
    with pytest.raises(SourceError, match=why), open_child(["sh", "-c", answer], SourceError) as child:
        child.ask("1 2")


def test_a_process_that_dies_between_two_turns_is_one_error() -> None:
    """The line that it did not live to read must not raise a second one, which would hide the first."""
    with open_child(["sh", "-c", "echo 1; sleep 60"], SourceError) as child:
        assert child.ask() == 1
        child._process.kill()
        with pytest.raises(SourceError, match="killed by signal 9"):
            child.ask("1 2")


def test_a_python_without_the_peer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    images = [np.zeros((2, 2, 3), np.uint8)] * 2
    with pytest.raises(SourceError, match="No module named"), open_peer(sys.executable, images):
        pass


def test_the_steadiness_of_clips_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert steadiness.main(["--sources", "demo"]) == 0
    printed = capsys.readouterr().out
    assert "| `demo` | haar | 300 |" in printed
    assert "boxes as by detecting always (IoU 0.5)" in printed


def test_pictures_are_no_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from edge.sources.demo import PHOTOGRAPH

    assert main(["--source", str(PHOTOGRAPH), "--out", str(tmp_path)]) == 2
    assert "expected a clip" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""Specify --blur: which pixels are hidden, for how long, and that no picture leaves the loop without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.blur import CELLS, HOLD_S, MARGIN, FaceHider
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.detectors.yunet import YuNet
from edge.meter import Meter
from edge.opencv import cv2
from edge.pipeline import Pipeline, loop
from edge.run import main
from edge.sources.demo import demo_images
from edge.values import Box, Frame, Image
from tests.edge.samples import OUTAGE, MemorySink, make_reading

BOX = Box(60, 40, 50, 50)


def noise() -> Image:
    """Return a picture in which no two places are alike, uint8 [150, 200, 3]."""
    return np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)


def frame(time_s: float = 0.0, name: str | None = None) -> Frame:
    return Frame(0, time_s, 0.0, noise(), name)


def is_hidden(image: Image, box: Box = BOX) -> bool:
    """Return whether a box shows no more than the cells of the mosaic."""
    region = image[max(0, box.y) : box.y + box.height, max(0, box.x) : box.x + box.width]
    return len(np.unique(region.reshape(-1, 3), axis=0)) <= CELLS**2


@pytest.mark.parametrize(
    "box",
    [BOX, Box(-20, -10, 50, 50), Box(170, 120, 60, 60), Box(0, 0, 200, 150), Box(90, 60, 1, 1), Box(60, 40, 30, 70)],
    ids=["inside", "corner", "other corner", "everything", "one pixel", "tall"],
)
def test_a_face_and_its_margin_show_few_cells_and_the_rest_stays(box: Box) -> None:
    original = frame()
    hidden = FaceHider().hide(original, [make_reading(box)]).image
    edge = round(MARGIN * max(box.width, box.height))
    assert is_hidden(hidden, Box(box.x - edge, box.y - edge, box.width + 2 * edge, box.height + 2 * edge))
    outside = np.ones(hidden.shape[:2], dtype=bool)
    outside[max(0, box.y - edge) : box.y + box.height + edge, max(0, box.x - edge) : box.x + box.width + edge] = False
    assert np.array_equal(hidden[outside], noise()[outside])
    assert np.array_equal(original.image, noise()), "the reader's own picture was changed"


@pytest.mark.parametrize(
    ("later", "hidden"),
    [
        (frame(HOLD_S), True),
        (frame(HOLD_S + 0.01), False),
        (replace(frame(60.0), error=OUTAGE), True),  # a lost camera's frame repeats the picture with the face
        (frame(-1.0), False),  # time does not run back: another video
        (frame(0.1, "other.jpg"), False),  # independent pictures
    ],
    ids=["held", "after the hold", "camera lost", "another video", "another picture"],
)
def test_a_face_that_is_not_found_any_more_stays_hidden_for_a_while(later: Frame, hidden: bool) -> None:
    hider = FaceHider()
    hider.hide(frame(), [make_reading(BOX)])
    assert is_hidden(hider.hide(later, []).image) == hidden


def test_the_place_of_a_missed_face_grows() -> None:
    hider = FaceHider()
    hider.hide(frame(), [make_reading(BOX)])
    moved = Box(BOX.x + 30, BOX.y, BOX.width, BOX.height)
    assert is_hidden(hider.hide(frame(0.5), []).image, moved)


def test_every_picture_that_leaves_the_loop_is_hidden() -> None:
    """Also for outputs that ask for no picture, and while the camera is lost."""
    pipeline = Pipeline(open_detector("auto"), Classifier(open_backend(SHIPPED, 1)), Meter(), detect_interval=1)
    images = list(demo_images(3))
    frames = [Frame(i, i / 30, 0.0, image) for i, image in enumerate(images)]
    frames.append(replace(frames[-1], index=3, time_s=9.0, error=OUTAGE))
    sinks = [MemorySink(), MemorySink()]
    sinks[1].needs_picture = False
    loop(frames, pipeline, sinks, FaceHider())
    detector = open_detector("auto")
    assert all(detector.detect(image) for image in images)
    for sink in sinks:
        assert len(sink.frames) == 4
        assert not any(detector.detect(frame.image) for frame in sink.frames)


def test_the_command_hides_faces_in_the_recording_and_reads_them_in_the_events(tmp_path: Path) -> None:
    record, events = tmp_path / "out", tmp_path / "out.jsonl"
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in/face.png"), next(demo_images(1)))
    assert main([str(tmp_path / "in"), "--blur", "--no-display", "--record", str(record), "--events", str(events)]) == 0
    assert '"emotion": "happy"' in events.read_text()
    assert open_detector("auto").detect(cv2.imread(str(tmp_path / "in/face.png")))
    assert not open_detector("auto").detect(cv2.imread(str(record / "face.png")))


def test_while_faces_are_hidden_all_faces_are_looked_for_in_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only large ones, or every tenth frame, as while a large face is tracked."""
    searches: dict[str, list[float | None]] = {"": [], "--blur": []}
    for option, smallest in searches.items():
        find = YuNet.detect
        monkeypatch.setattr(
            YuNet, "detect", lambda self, image, s, f=find, n=smallest: n.append(s) or f(self, image, s)
        )
        stats = tmp_path / "stats.json"
        arguments = ["demo", "--no-display", "--max-frames", "12", "--stats", str(stats), *filter(None, [option])]
        assert main(arguments) == 0
        monkeypatch.undo()
    assert searches["--blur"] == [None] * 12
    assert len(searches[""]) < 6

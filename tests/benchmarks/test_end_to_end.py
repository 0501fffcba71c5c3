"""Measure the whole product on labelled pictures."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks import crops, detection, end_to_end, soak
from benchmarks.detection import measure
from benchmarks.measure.calibration import PersonPictures, by_person, held_out_accuracy
from benchmarks.measure.labelled import (
    LabelledPicture,
    detect_largest,
    is_correct,
    labelled_pictures,
    surroundings,
)
from edge.arguments import ArgumentParser
from edge.detectors.haar import Haar
from edge.labels import EMOTIONS
from edge.neutral import NeutralProfile
from edge.opencv import cv2
from edge.preprocess import crop
from edge.smoother import UNCERTAIN_BELOW
from edge.sources.demo import PHOTOGRAPH
from edge.values import Box, Face, Image

NEUTRAL, SAD, HAPPY = (EMOTIONS.index(emotion) for emotion in ("neutral", "sad", "happy"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Label the astronaut happy, a picture without a face sad."""
    folder = tmp_path / "pictures"
    for emotion in ("Happiness", "sad", "other things"):
        (folder / emotion).mkdir(parents=True)
    shutil.copy(PHOTOGRAPH, folder / "Happiness")
    cv2.imwrite(str(folder / "sad" / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    (folder / "sad" / "notes.txt").write_text("no picture")
    return folder


def test_a_missed_face_counts_as_wrong(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert end_to_end.main(["--data", str(pictures), "--detector", "yunet", "--out", str(out)]) == 0
    (row,) = json.loads(out.read_text())
    assert (row["pictures"], row["found"], row["accuracy"], row["mean_recall"]) == (2, 1, 0.5, 0.5)
    printed = capsys.readouterr()
    assert "1 of 2" in printed.out
    assert f"left out of {pictures}: 1 that are no pictures, as sad/notes.txt" in printed.err


def test_a_picture_that_opencv_fails_on_counts_as_missed(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(Haar):
        def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
            raise cv2.error("too long")

    (pictures / "sad" / "wall.png").write_bytes(b"damaged")
    assert detect_largest(Failing(), labelled_pictures(pictures)) == [None, None]
    assert measure(Failing(), [PHOTOGRAPH], 0.1, lambda: None)[0] == [0]
    lines = capsys.readouterr().err.splitlines()[1:]
    assert [line.count("no face is found: ") for line in lines] == [1, 1, 1]
    assert [name in line for name, line in zip((PHOTOGRAPH.name, "wall.png", PHOTOGRAPH.name), lines, strict=True)]


def test_a_folder_without_classes_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert end_to_end.main(["--data", str(tmp_path)]) == 2
    assert "expected folders angry" in capsys.readouterr().err


@pytest.mark.parametrize("pattern", ["^[A-Z]+", "(", "^(?:x)"])
def test_a_pattern_without_a_group_is_one_error(
    pictures: Path, pattern: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        end_to_end.main(["--data", str(pictures), "--person", pattern])
    assert caught.value.code == 2
    assert "expected a regular expression" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--peer", "/no/python", "expected --peer"),
        ("--model", "missing.tflite", "no model at missing.tflite"),
        ("--detector-model", "missing.tflite", "expected --detector-model"),
    ],
)
def test_whatever_is_wrong_shows_before_the_long_work(
    pictures: Path,
    option: str,
    value: str,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(end_to_end, "detect_largest", None)  # calling it would fail
    assert end_to_end.main(["--data", str(pictures), option, value]) == 2
    assert error in capsys.readouterr().err


def test_crops_without_a_face_are_one_error(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(pictures / "Happiness")
    assert crops.main(["--data", str(pictures), "--detector", "yunet"]) == 2
    assert "yunet detects none in 1" in capsys.readouterr().err


def test_crops_are_measured(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert crops.main(["--data", str(pictures), "--detector", "yunet"]) == 0
    assert "yunet: 1 of 2 faces found" in capsys.readouterr().out


def test_a_row_of_zeros_names_nothing() -> None:
    probabilities = np.zeros((2, 7), np.float32)
    probabilities[1, 0] = 1
    assert is_correct(np.array([0, 0]), probabilities).tolist() == [False, True]


def test_file_names_say_who_a_person_is(tmp_path: Path) -> None:
    (tmp_path / "neutral" / "subfolder").mkdir(parents=True)
    (tmp_path / "neutral" / ".DS_Store").touch()  # no picture either
    (tmp_path / "neutral" / "KA.NE1.26.tiff").touch()
    assert [picture.person for picture in labelled_pictures(tmp_path)] == ["KA"]
    (tmp_path / "neutral" / "stranger.tiff").touch()
    people = [picture.person for picture in labelled_pictures(tmp_path, r"^(?:([A-Z]{2})\.NE)?")]
    assert people == ["KA", ""], "a group that did not match names nobody"


def test_calibration_helps_people_who_look_sad_at_rest() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([NEUTRAL, NEUTRAL, SAD, HAPPY] * 3)
    pictures = []
    rows = []
    for person in ("AA", "BB", "CC"):
        logits = rng.normal(0, 0.3, (len(labels), 7)) + 3 * np.eye(7)[labels]
        logits[:, SAD] += 4  # a bias of this kind of face
        rows.append(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
        pictures += [LabelledPicture(Path(person), int(label), person) for label in labels]
    people = by_person(pictures, np.concatenate(rows).astype(np.float32))
    before = np.mean([person.accuracy() for person in people])
    after, _ = held_out_accuracy(people, PersonPictures.calibrated_accuracy)
    assert before < 0.5
    assert after > 0.9


def test_the_picture_that_calibrates_is_left_out() -> None:
    labels = np.array([NEUTRAL, HAPPY])
    probabilities = np.full((2, 7), 0.05, np.float32)
    probabilities[0, SAD] = probabilities[1, HAPPY] = 0.7
    person = PersonPictures("AA", labels, probabilities)
    assert person.calibrated_accuracy() == person.accuracy() == 1.0, "both of the other picture"
    assert person.averaged_accuracy() in (0.0, 1.0), "this too"


def test_a_face_that_is_right_but_uncertain_is_not_shown() -> None:
    labels = np.array([NEUTRAL, HAPPY, SAD] * 2)
    probabilities = np.full((6, 7), 0.1, np.float32)
    probabilities[np.arange(6), labels] = (0.7, 0.5, 0.3) * 2
    pictures = [LabelledPicture(Path("x"), int(label), person) for label, person in zip(labels, "AAABBB", strict=True)]
    row = end_to_end.make_row("data", "yunet", "model", pictures, probabilities)
    assert (row.accuracy, row.people_accuracy, row.calibrated) == (1, 1, 1)
    assert row.shown == pytest.approx(2 / 3)
    assert row.people_shown == pytest.approx(1 / 2), "one of the two that did not calibrate"
    cells = dict(zip(end_to_end.table([row]).head, end_to_end.table([row]).rows[0], strict=True))
    assert cells["their accuracy / shown"] == "100.0% / 50.0%"
    corrected = NeutralProfile.from_outputs(EMOTIONS, [probabilities[0]]).apply(probabilities[2])
    assert row.calibrated_shown == (1.0 if corrected.max() >= UNCERTAIN_BELOW else 0.5)


@pytest.mark.parametrize("module", [end_to_end, crops, detection, soak])
def test_every_option_is_explained(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    parsers: list[ArgumentParser] = []
    monkeypatch.setattr(ArgumentParser, "parse_args", lambda self, *_: parsers.append(self) or sys.exit(0))
    with pytest.raises(SystemExit):
        module.parse_args([])
    assert [action.dest for action in parsers[0]._actions if not action.help] == []


def test_missed_faces_of_a_person_are_wrong_and_calibrate_nothing() -> None:
    labels = np.array([NEUTRAL, NEUTRAL, HAPPY, HAPPY])
    probabilities = np.full((4, 7), 0.05, np.float32)
    probabilities[np.arange(4), labels] = 0.7
    probabilities[[1, 3]] = 0
    pictures = [LabelledPicture(Path("x"), int(label), "AA") for label in labels]
    (person,) = by_person(pictures, probabilities)
    for accuracy in (person.accuracy, person.calibrated_accuracy):
        assert accuracy() == pytest.approx(1 / 3), "of the three pictures that did not calibrate, two are missed"
    assert person.averaged_accuracy() <= 1 / 3
    probabilities[0] = 0
    assert by_person(pictures, probabilities) == [], "no neutral face was found"


@pytest.mark.parametrize("box", [Box(101, 50, 61, 61), Box(-10, 3, 40, 40), Box(170, 80, 57, 57), Box(0, 0, 300, 300)])
def test_what_surrounds_a_face_is_all_that_its_crops_need(box: Box) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    part, face = surroundings(image, Face(box, 0.5))
    assert face.score == 0.5
    assert part.size <= image.size
    for margin in (-0.1, 0.0, 0.25, 1.0):
        assert (crop(part, face.box, margin) == crop(image, box, margin)).all()

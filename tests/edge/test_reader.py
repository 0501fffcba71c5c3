"""The library underneath: a picture in three lines, and the choice of a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.classifier import SHIPPED
from edge.demo import PHOTOGRAPH, demo_images
from edge.errors import ModelError, SourceError
from edge.fastest import fastest
from edge.opencv import cv2
from edge.reader import EmotionReader


def test_a_picture_is_read_in_three_lines() -> None:
    readings = EmotionReader(detector="haar").read(PHOTOGRAPH)
    assert [reading.emotion for reading in readings] == ["happy"]
    assert str(readings[0]).startswith("happy ")
    assert readings[0].probabilities.sum() == pytest.approx(1, abs=0.02)


def test_an_array_is_what_its_file_is() -> None:
    reader = EmotionReader(detector="haar")
    by_file, by_array = reader.read(str(PHOTOGRAPH)), reader.read(cv2.imread(str(PHOTOGRAPH)))
    assert by_file[0].face == by_array[0].face
    assert by_file[0].probabilities.tolist() == by_array[0].probabilities.tolist()


def test_a_video_is_followed_and_pictures_between_do_not_disturb_it() -> None:
    reader, ids = EmotionReader(detector="haar"), set()
    for i, image in enumerate(demo_images(30)):
        ids |= {reading.id for reading in reader.follow(image, i / 30)}
        reader.read(image[::-1])
    assert ids == {1}


def test_a_picture_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(SourceError, match="cannot decode"):
        EmotionReader(detector="haar").read(tmp_path / "a.jpg")


def test_the_fastest_of_the_files_that_are_true_enough(exported: dict[str, Path], tmp_path: Path) -> None:
    for name, path in exported.items():
        shutil.copy(path, tmp_path / name)
    path, backend, why = fastest(tmp_path, threads=1)
    assert path.name in exported
    assert backend.card.labels
    assert all(name in why for name in exported)
    (tmp_path / "damaged.tflite").write_bytes(b"nothing")
    assert "damaged.tflite left out: " in fastest(tmp_path, threads=1)[2]


def test_a_file_beyond_the_accuracy_budget_is_not_taken(exported: dict[str, Path], tmp_path: Path) -> None:
    """The tiny network is many times as fast as the shipped one; told to be far less true, it stays behind."""
    shutil.copy(SHIPPED, tmp_path)
    shutil.copy(exported["emotion_int8.tflite"], tmp_path / "tiny.tflite")
    _, tiny, _ = fastest(tmp_path, threads=1)
    accuracies = {True: "tiny.tflite", False: SHIPPED.name}
    expected = accuracies[float(tiny.card.validation["accuracy"]) >= 0.68]
    assert fastest(tmp_path, threads=1)[0].name == expected


def test_a_folder_without_models_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found none that opens here"):
        fastest(tmp_path, threads=1)

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from tests.conftest import drawn_face
from train.data import CSV_LABELS, load, seen_in, split_of


def write_csv(path: Path, header: tuple[str, ...] = ("emotion", "pixels", "Usage")) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for usage in ("Training", "PublicTest", "PrivateTest"):
            for number, emotion in enumerate(CSV_LABELS):
                pixels = drawn_face(EMOTIONS.index(emotion), len(usage)).ravel()
                writer.writerow([number, " ".join(map(str, pixels)), usage])
    return path


def test_folders_and_their_splits(drawn_data: Path) -> None:
    faces = load(drawn_data)
    assert {split: len(found) for split, found in faces.items()} == {"train": 224, "public": 28}
    assert faces["train"].images.shape == (224, 48, 48)
    assert faces["train"].images.dtype == np.uint8
    for split, first_seed in (("train", 0), ("public", 1000)):
        for label in range(7):
            first = faces[split].images[faces[split].labels == label][0]
            assert (first == drawn_face(label, first_seed)).all()


def test_public_and_private_are_told_apart_in_one_folder(drawn_data: Path, tmp_path: Path) -> None:
    for label, emotion in enumerate(EMOTIONS):
        for name in ("PublicTest_1.png", "PrivateTest_2.png"):
            place = tmp_path / "test" / emotion
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / name), drawn_face(label, len(name)))
    faces = load(tmp_path)
    assert {split: len(found) for split, found in faces.items()} == {"public": 7, "private": 7}
    assert set(faces["private"].names) == {"PrivateTest_2.png"}


@pytest.mark.parametrize("header", [("emotion", "pixels", "Usage"), ("emotion", " Usage", " pixels")])
def test_the_csv_has_its_own_order_of_labels(tmp_path: Path, header: tuple[str, ...]) -> None:
    if header[1] == " Usage":  # icml_face_data.csv: other order, spaces in the header
        original = list(csv.DictReader(write_csv(tmp_path / "plain.csv").open()))
        path = tmp_path / "icml_face_data.csv"
        rows = [f"{row['emotion']},{row['Usage']},{row['pixels']}" for row in original]
        path.write_text("\n".join([",".join(header), *rows]) + "\n")
    else:
        path = write_csv(tmp_path / "fer2013.csv")
    faces = load(path)
    assert set(faces) == {"train", "public", "private"}
    for label in range(7):
        assert (faces["train"].images[faces["train"].labels == label][0] == drawn_face(label, len("Training"))).all()


def test_faces_in_two_splits_are_found(drawn_data: Path) -> None:
    faces = load(drawn_data)
    learnt, judged = faces["train"], faces["public"]
    assert not seen_in(judged, learnt).any()
    both = judged.take(np.array([3, 4]))
    assert seen_in(judged, both).tolist() == [i in (3, 4) for i in range(len(judged))]


def test_the_labels_of_real_faces(public_test: Path) -> None:
    faces = load(public_test, ("public",))["public"]
    assert len(faces) == 3579
    counts = {emotion: int((faces.labels == label).sum()) for label, emotion in enumerate(EMOTIONS)}
    assert counts == {
        "angry": 466,
        "disgust": 56,
        "fear": 496,
        "happy": 891,
        "neutral": 604,
        "sad": 652,
        "surprise": 414,
    }


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("3,1 2 3,Training", "too few pixels"),
        ("-1,{pixels},Training", "a label below 0"),
        ("7,{pixels},Training", "a label above 6"),
        ("3,{pixels},Sometimes", "an unknown split"),
        ("3", "a row cut short"),
        ("3,\0,Training", "a NUL"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, row: str, why: str) -> None:
    path = write_csv(tmp_path / "fer2013.csv")
    path.write_text(path.read_text() + row.format(pixels=" ".join(["7"] * 48 * 48)) + "\n")
    with pytest.raises(DataError, match=r"line 2[23]"):
        load(path)


def test_a_set_without_a_validation_split_says_how_to_make_one(drawn_data: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(drawn_data / "train")
    with pytest.raises(DataError, match="val/"):
        split_of(load(tmp_path), "public", tmp_path)

"""Test duplicates, and the report on a data set."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.labels import EMOTIONS
from edge.opencv import cv2
from tests.conftest import drawn_face, tiny_arguments
from train.__main__ import main as train
from train.data import FaceSet
from train.duplicates import copied_across, copied_from, exact_duplicates, near_duplicates, without_copies
from train.evaluation import evaluate_predictions
from train.explore import FILES, main

RNG = np.random.default_rng(0)
FACES = np.stack([cv2.GaussianBlur(RNG.integers(0, 256, (48, 48), np.uint8), (0, 0), 3) for _ in range(8)])
FACES = np.stack([cv2.normalize(face, None, 0, 255, cv2.NORM_MINMAX) for face in FACES])


def as_set(*images: np.ndarray) -> FaceSet:
    return FaceSet(np.stack(images), np.arange(len(images)) % 7, tuple(map(str, range(len(images)))), "train")


def darker(face: np.ndarray) -> np.ndarray:
    return (face * 0.6 + 20).astype(np.uint8)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        (FACES[0], "exact"),
        (darker(FACES[0]), "near"),
        (FACES[0, :, ::-1], "mirrored"),
        (cv2.GaussianBlur(FACES[0], (3, 3), 0), "near"),
        (np.roll(FACES[0], 1, axis=1), "near"),
        (FACES[1], None),
        (np.full((48, 48), 127, np.uint8), None),
    ],
)
def test_what_counts_as_the_same_picture(other: np.ndarray, kind: str | None) -> None:
    faces = as_set(FACES[0], FACES[2], other)
    pairs = [*exact_duplicates(faces), *near_duplicates(faces)]
    assert [(pair.first, pair.second) for pair in pairs] == ([(0, 2)] if kind else [])
    assert [("exact" if pair.exact else "mirrored" if pair.mirrored else "near") for pair in pairs] == [kind] * bool(
        kind
    )
    assert copied_from(as_set(other), as_set(FACES[0], FACES[2])).tolist() == [kind is not None]


def test_copies_of_test_faces_are_left_out_of_training() -> None:
    train = as_set(*FACES[:6])
    kept = without_copies(train, [as_set(darker(FACES[1])), as_set(FACES[3, :, ::-1])])
    assert kept.names == ("0", "2", "4", "5")


def test_faces_with_a_near_copy_in_another_fold_are_told() -> None:
    faces = as_set(FACES[0], darker(FACES[0]), FACES[1], FACES[1, :, ::-1], FACES[2])
    folds = np.array([0, 1, 2, 2, 3])
    assert copied_across(faces, folds).tolist() == [True, True, False, False, False]
    result = evaluate_predictions(faces, np.eye(7, dtype=np.float32)[faces.labels], None, folds=folds)
    assert (result["faces"], result["not_nearly_in_training"]["faces"]) == (5, 3)


def test_pictures_of_one_grey_are_not_all_alike() -> None:
    assert near_duplicates(as_set(*(np.full((48, 48), grey, np.uint8) for grey in (0, 100, 200)))) == []


def test_the_report_names_who_is_there_twice(
    drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(drawn_data, tmp_path / "data")
    cv2.imwrite(str(tmp_path / "data" / "test" / "sad" / "PublicTest_x.png"), drawn_face(3, 5))  # a happy one of train
    assert main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)
    rows = list(csv.DictReader((tmp_path / "out" / "duplicates.csv").open()))
    (row,) = [row for row in rows if row["kind"] == "exact"]
    assert (row["split"], row["name"], row["emotion"]) == ("train", "Training_305.png", "happy")
    assert (row["other_split"], row["other_name"], row["other_emotion"]) == ("public", "PublicTest_x.png", "sad")
    printed = capsys.readouterr().out
    assert "pixel for pixel: 1 pairs (1 between public and train); 1 of them have two different labels" in printed
    assert "| happy | 32 (14.3%) | 4 (13.8%) |" in printed


def test_training_without_the_duplicates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train on noise images, one of them in both splits: it is left out."""
    rng = np.random.default_rng(0)
    for split, prefix, count in (("train", "Training", 4), ("test", "PublicTest", 1)):
        for emotion in EMOTIONS:
            (tmp_path / "data" / split / emotion).mkdir(parents=True)
            for i in range(count):
                noise = cv2.resize(rng.integers(0, 256, (8, 8), dtype=np.uint8), (48, 48))
                cv2.imwrite(str(tmp_path / "data" / split / emotion / f"{prefix}_{emotion}{i}.png"), noise)
    shutil.copy(
        tmp_path / "data" / "test" / "sad" / "PublicTest_sad0.png",
        tmp_path / "data" / "train" / "sad" / "Training_x.png",
    )
    out = [
        "--validation",
        "public",
        "--drop-duplicates",
        "--epochs",
        "1",
        "--head-epochs",
        "0",
        "--out",
        str(tmp_path / "run"),
    ]
    assert train([*tiny_arguments(tmp_path / "data"), *out]) == 0
    assert "28 faces for training, 7 (public)" in capsys.readouterr().out

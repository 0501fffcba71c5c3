"""Test reading data sets in every form, and their splits."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import train.__main__
from edge.backend import SHIPPED
from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from tests.conftest import drawn_face
from train import evaluate, explore
from train.data import evaluation_faces, evaluation_split, load, seen_in, split_of, train_val_split
from train.layouts.numbers import CSV_LABELS
from train.provenance import data_set


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
    assert {split: len(own) for split, own in faces.items()} == {"train": 224, "public": 28}
    assert faces["train"].images.shape == (224, 48, 48)
    assert faces["train"].images[:2].dtype == np.uint8
    for split, first_seed in (("train", 0), ("public", 1000)):
        for label in range(7):
            first = faces[split].images[faces[split].labels == label][0]
            assert (first == drawn_face(label, first_seed)).all()


def test_public_and_private_are_told_apart_in_one_folder(drawn_data: Path, tmp_path: Path) -> None:
    for label, emotion in enumerate(EMOTIONS):
        for name in ("PublicTest_1.png", "PrivateTest_2.png"):
            folder = tmp_path / "test" / emotion
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / name), drawn_face(label, len(name)))
    faces = load(tmp_path)
    assert {split: len(own) for split, own in faces.items()} == {"public": 7, "private": 7}
    assert set(faces["private"].names) == {"PrivateTest_2.png"}


def test_a_table_is_called_fer_2013_by_its_name_alone(tmp_path: Path) -> None:
    """CK+ comes in the same format, and under other terms."""
    fer2013, other = (load(write_csv(tmp_path / name))["train"] for name in ("fer2013.csv", "ckextended.csv"))
    assert fer2013.names[0] == "Training_0"
    assert data_set(fer2013.names, tmp_path / "fer2013.csv")[0] == "FER-2013"
    assert other.names[0] == "ckextended_0"
    assert data_set(other.names, tmp_path / "ckextended.csv") == ("ckextended.csv", "licence not stated")


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
    train = faces["train"]
    public = faces["public"]
    assert not seen_in(public, train).any()
    both = public.take(np.array([3, 4]))
    assert seen_in(public, both).tolist() == [i in (3, 4) for i in range(len(public))]


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
        ("3,{dark},Training", "a pixel below 0"),
        ("-1,{pixels},Training", "a label below 0"),
        ("7,{pixels},Training", "a label above 6"),
        ("3,{pixels},Sometimes", "an unknown split"),
        ("3,x y z,Training", "no numbers"),
        ("3", "a row cut short"),
    ],
)
def test_a_damaged_row_is_skipped_counted_and_named(
    tmp_path: Path, row: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path / "fer2013.csv")
    pixels = " ".join(["7"] * 48 * 48)
    path.write_text(path.read_text() + row.format(pixels=pixels, dark="-" + pixels) + f"\n3,{pixels},Training\n")
    faces = load(path)
    assert len(faces["train"]) == 8, "the row after it is read"
    assert f"skipped 1 damaged: {path}, line 23: " in capsys.readouterr().err
    with pytest.raises(DataError, match="line 23"):
        load(path, strict=True)


@pytest.mark.parametrize(
    "names", [EMOTIONS, ("0_angry", "Disgusted", "FEARFUL", "Happiness", "Natural", "Sadness", "suprise")]
)
def test_class_folders_by_name_and_synonym(tmp_path: Path, names: tuple[str, ...]) -> None:
    for label, name in enumerate(names):
        for part in ("train", "test"):
            (tmp_path / part / name).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / part / name / "im0.png"), drawn_face(label, len(part)))
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    faces = load(tmp_path)
    assert {split: len(own) for split, own in faces.items()} == {"train": 7, "test": 7}, "neither public nor private"
    for label in range(7):
        assert (faces["train"].images[label] == drawn_face(label, len("train"))).all()


def test_a_folder_of_your_own(tmp_path: Path) -> None:
    """Read images of any size, shape and colour: their middles, at 48 pixels."""
    rng = np.random.default_rng(0)
    for label, emotion in enumerate(EMOTIONS):
        (tmp_path / emotion.title()).mkdir()
        face = cv2.resize(drawn_face(label, 0), (96, 96), interpolation=cv2.INTER_NEAREST)
        wide = np.hstack([np.zeros((96, 30), np.uint8), face, np.zeros((96, 30), np.uint8)])
        colour = cv2.cvtColor(wide, cv2.COLOR_GRAY2BGR)
        clear = np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)])
        for name, image in (("a.png", face), ("b.png", wide), ("c.png", colour), ("d.png", clear)):
            cv2.imwrite(str(tmp_path / emotion.title() / name), image)
        for i in range(16):
            cv2.imwrite(str(tmp_path / emotion.title() / f"e{i}.png"), rng.integers(0, 255, (60 + i, 50), np.uint8))
    faces = load(tmp_path)
    assert {split: len(own) for split, own in faces.items()} == {"train": 7 * 20}
    for label in range(7):
        own = faces["train"].images[faces["train"].labels == label]
        assert (own[:4] == drawn_face(label, 0)).all()


def test_a_tenth_is_held_out_and_no_copy_is_on_both_sides(drawn_data: Path) -> None:
    train = load(drawn_data)["train"]
    twice = np.concatenate([np.arange(len(train))] * 2)
    training, validation = train_val_split({"train": train.take(twice)}, drawn_data)
    assert len(training) + len(validation) == 2 * len(train)
    assert np.bincount(validation.labels).tolist() == [6] * 7, "3 of 32, and their copies"
    assert validation.split == "held-out"
    assert not seen_in(validation, training).any()
    again = train_val_split({"train": train.take(twice)}, drawn_data)[1]
    assert (again.images[:] == validation.images[:]).all()


def test_public_test_is_used_only_if_asked_for(drawn_data: Path) -> None:
    faces = load(drawn_data)
    training, validation = train_val_split(faces, drawn_data)
    assert (len(training), len(validation), validation.split) == (224 - 21, 21, "held-out")
    training, validation = train_val_split(faces, drawn_data, "public")
    assert (len(training), len(validation), validation.split) == (224, 28, "public")
    with pytest.raises(DataError, match=r"split 'public' in .*, found train"):
        train_val_split({"train": faces["train"]}, drawn_data, "public")


def test_reports_are_on_public_test_or_else_on_the_held_out_tenth(drawn_data: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_data / "train", tmp_path / "train")
    for folder, split in ((drawn_data, "public"), (tmp_path, "held-out")):
        faces = evaluation_faces(folder)
        assert faces.split == split
        assert (evaluation_split(load(folder), folder)[1].images[:] == faces.images[:]).all()


def test_images_that_cannot_be_decoded_are_listed(
    drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(drawn_data, tmp_path / "data")
    broken = [tmp_path / "data" / "train" / "sad" / f"x{i}.png" for i in range(5)]
    for i, file in enumerate(broken):
        file.write_bytes(b"no picture" if i else b"")
    assert len(load(tmp_path / "data")["train"]) == 224
    stderr = capsys.readouterr().err
    assert f"skipped 5 damaged: {broken[0]}: expected a picture, cannot decode x0.png; " in stderr
    assert "and 2 more" in stderr
    with pytest.raises(DataError, match="cannot decode"):
        load(tmp_path / "data", strict=True)


def test_a_missing_split_is_reported_with_those_that_exist(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split 'private' in .*, found train, public"):
        split_of(load(drawn_data, ("train", "private")), "private", drawn_data)
    table = write_csv(tmp_path / "fer2013.csv")
    with pytest.raises(DataError, match=r"found train, public, private"):
        split_of(load(table, ("train",)), "test", table)


@pytest.mark.parametrize("module", [train.__main__, explore, evaluate])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--ignore foo,sad", "expected --ignore with classes of DATA, found foo; its classes are angry, disgust"),
        ("--labels a,b", "expected numbers for --labels to name in DATA, found none; leave out --labels"),
    ],
)
def test_classes_that_a_data_set_lacks_are_refused(
    module: ModuleType, options: str, error: str, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(SHIPPED)] if module is evaluate else []
    assert module.main(["--data", str(drawn_data), *options.split(), *model, "--out", str(tmp_path / "out")]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert error.replace("DATA", str(drawn_data)) in line
    assert not (tmp_path / "out").exists()


def test_those_of_a_recipe_may_be_used_on_another_data_set(drawn_data: Path, tmp_path: Path) -> None:
    faces = load(drawn_data, ("public",), labels=("a", "b"), ignore=("contempt",))
    assert faces["public"].classes == EMOTIONS
    table = write_csv(tmp_path / "fer2013.csv")
    labels = tuple("abcdefg")
    assert load(table, ("train",), labels=labels, ignore=("a",), checked=True)["train"].classes == labels[1:]

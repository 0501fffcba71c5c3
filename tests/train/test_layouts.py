"""Test data sets as they come: public ones in tiny made-up copies, numbers, tables and archives."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.label_names import known_label
from edge.labels import EMOTIONS
from edge.opencv import cv2
from tests.conftest import ROOT, drawn_face, shared
from train.data import load
from train.layouts import archive
from train.layouts.names import split_name
from train.layouts.numbers import CSV_LABELS, recognize
from train.options import parse_labels
from train.provenance import data_set

Write = Callable[[str, str], None]  # the file, below the data set; the emotion that its face shows


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the drawn face of an emotion as a picture, whose suffix gives the format."""

    def write_face(name: str, emotion: str) -> None:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        face = cv2.cvtColor(drawn_face((*EMOTIONS, "contempt").index(emotion), 0), cv2.COLOR_GRAY2BGR)
        suffix = {".gif": ".png", ".jfif": ".jpg"}.get(path.suffix.lower(), path.suffix)
        path.write_bytes(cv2.imencode(suffix.lower(), face)[1].tobytes())

    return write_face


# The name in docs/training.md; pictures and the emotion that each must be read as; the number of faces by split.
PUBLIC = {
    "FER-2013, folders": (
        {
            "train/angry/Training_3908.jpg": "angry",
            "test/sad/PublicTest_1.jpg": "sad",
            "test/fear/PrivateTest_2.jpg": "fear",
        },
        {"train": 1, "public": 1, "private": 1},
    ),
    "FER-2013, images/validation": (
        {"images/train/angry/0.jpg": "angry", "images/validation/happy/10.jpg": "happy"},
        {"train": 1, "public": 1},
    ),
    "AffectNet, folders by name": (
        {"train/Anger/a.png": "angry", "train/Contempt/c.png": "contempt", "test/surprise/s.png": "surprise"},
        {"train": 2, "test": 1},
    ),
    "AffectNet, numbered folders": ({"train/0/a.jpg": "neutral", "val/7/b.jpg": "contempt"}, {"train": 1, "public": 1}),
    "RAF-DB, numbered folders": (
        {"DATASET/train/1/train_1_aligned.jpg": "surprise", "DATASET/test/7/test_2_aligned.jpg": "neutral"},
        {"train": 1, "test": 1},
    ),
    "KDEF": (
        {"KDEF/AF01/AF01ANS.JPG": "angry", "KDEF/AF01/AF01AFHL.JPG": "fear", "KDEF/BM35/BM35SUFR.JPG": "surprise"},
        {"train": 3},
    ),
    "JAFFE": (
        {"jaffe/KA.AN1.39.tiff": "angry", "jaffe/KA.FE1.45.tiff": "fear", "jaffe/YM.NE2.50.tiff": "neutral"},
        {"train": 3},
    ),
    "CK+48, folders": (
        {"CK+48/anger/S010_004_00000017.png": "angry", "CK+48/contempt/S138_008_00000007.png": "contempt"},
        {"train": 2},
    ),
    "KDEF beside folders": (
        {"a/happy/x.png": "happy", "kdef/AF01ANS.JPG": "angry", "kdef/happy/AF02HAS.JPG": "happy"},
        {"train": 3},
    ),
    "folders by person": (
        {"S01/happy/1.ppm": "happy", "S01/sad/2.GIF": "sad", "S02/fearful/3.jfif": "fear"},
        {"train": 3},
    ),
    "persons in folders": (
        {"training/happy/S01/1.bmp": "happy", "testing/sadness/S02/2.tif": "sad"},
        {"train": 1, "test": 1},
    ),
}
LABELS = {
    "AffectNet, numbered folders": "neutral,happy,sad,surprise,fear,disgust,angry,contempt",
    "RAF-DB, numbered folders": "surprise,fear,disgust,happy,sad,angry,neutral",
}
ELSEWHERE = {"CK+", "FER-2013, table", "FER-2013, numbered folders"}  # tested below


@pytest.mark.parametrize("name", PUBLIC)
def test_public_data_sets_are_read_as_they_come(name: str, tmp_path: Path, write: Write) -> None:
    pictures, counts = PUBLIC[name]
    for file, emotion in pictures.items():
        write(file, emotion)
    labels = parse_labels(LABELS[name]) if name in LABELS else ()
    faces = load(tmp_path / "data", strict=True, labels=labels)
    assert {split: len(own) for split, own in faces.items()} == counts
    read = {
        file: own.classes[label] for own in faces.values() for file, label in zip(own.names, own.labels, strict=True)
    }
    assert read == {Path(file).name: emotion for file, emotion in pictures.items()}


def test_the_documented_data_sets_are_those_that_are_tested() -> None:
    table = (
        (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("| --- | --- | --- |\n")[1].split("\n\n")[0]
    )
    rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    assert {row[1] for row in rows} == {*PUBLIC, *ELSEWHERE} - {"KDEF beside folders"}
    for name, labels in LABELS.items():
        assert f"`--labels {labels}`" in next(row[3] for row in rows if row[1] == name)


def test_numbered_folders_of_fer_2013_need_no_labels(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Write 3% of Training in fer2013.csv's order."""
    for number, emotion in enumerate(CSV_LABELS):
        write(f"fer/train/{number}/0.png", emotion)
        folder = tmp_path / "data" / "fer" / "train" / str(number)
        for i in range(1, round(0.03 * TRAINING[emotion])):
            (folder / f"{i}.png").hardlink_to(folder / "0.png")
    faces = load(tmp_path)["train"]
    for label, name in enumerate(faces.classes):
        assert (faces.images[faces.labels == label] == drawn_face(EMOTIONS.index(name), 0)).all()
    assert "6 neutral (by the counts of FER-2013)" in capsys.readouterr().err


def test_ck_plus_by_the_labels_of_its_frames(tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for frame, emotion in ((1, "neutral"), (11, "disgust")):
        write(f"cohn-kanade-images/S005/001/S005_001_{frame:08}.png", emotion)
    write("cohn-kanade-images/S010/002/S010_002_00000014.png", "surprise")
    for name, number in (("S005/001/S005_001_00000011", 3), ("S010/002/S010_002_00000014", 7)):
        file = tmp_path / "data" / "Emotion" / f"{name}_emotion.txt"
        file.parent.mkdir(parents=True)
        file.write_text(f"   {number:.7e}\n")
    faces = load(tmp_path / "data")["train"]
    assert dict(zip(faces.names, (faces.classes[i] for i in faces.labels), strict=True)) == {
        "S005_001_00000011.png": "disgust",
        "S010_002_00000014.png": "surprise",
    }
    assert "passed over 3: 2 no picture, as " in capsys.readouterr().err
    assert data_set(faces.names, tmp_path)[0] == "CK+"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("suprise", "surprise"),
        ("Natural", "neutral"),
        ("0_angry", "angry"),
        ("03 - Happiness", "happy"),
        ("hapiness", "happy"),
        ("disguist", "disgust"),
        ("unhappy", None),
        ("unsurprised", None),
        ("fearless", None),
        ("disgruntled", None),
        ("bored", None),
        ("0", None),
        ("2019", None),
    ],
)
def test_names_of_folders(name: str, meaning: str | None) -> None:
    assert known_label(name) == meaning


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"),
        ("train_set", "train"),
        ("testing", "test"),
        ("val", "public"),
        ("trainer", None),
        ("a", None),
    ],
)
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_name(name) == split


TRAINING = dict(zip(CSV_LABELS, (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True))


@pytest.mark.parametrize("order", [CSV_LABELS, EMOTIONS, EMOTIONS[::-1]], ids=["fer2013.csv", "alphabetical", "other"])
@pytest.mark.parametrize("share", [1.0, 0.996, 0.2])
def test_fer_2013_is_recognized_by_its_counts(order: tuple[str, ...], share: float) -> None:
    """Expect every order to be told, with some pictures removed or in proportion."""
    counts = {number: round(share * TRAINING[emotion]) for number, emotion in enumerate(order)}
    assert recognize(counts) == dict(enumerate(order))


@pytest.mark.parametrize(
    "counts",
    [
        [3] * 7,
        [40, 4, 41, 72, 48, 32, 50],  # 1% of FER-2013: angry and fear cannot be told
        [1290, 281, 717, 4772, 1982, 705, 2524],  # RAF-DB
        [3995, 436, 4097, 7215, 4830, 3171, 6000],
        [3995, 436, 4097, 7215, 4830, 3171],
    ],
)
def test_other_counts_are_not_taken_for_fer_2013(counts: list[int]) -> None:
    assert recognize(dict(enumerate(counts))) is None


def test_numbers_are_asked_for_and_named(tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for number, emotion in enumerate(CSV_LABELS):
        write(f"train/{number}/a.png", emotion)
    with pytest.raises(DataError, match=r"numbers 0 to 6 of the folders in .* add --labels"):
        load(tmp_path / "data")
    faces = load(tmp_path / "data", labels=CSV_LABELS)["train"]
    for image, label in zip(faces.images, faces.labels, strict=True):
        assert (image == drawn_face(EMOTIONS.index(faces.classes[label]), 0)).all()
    assert "0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral (--labels)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("numbers", "labels", "expected"),
    [
        ((1, 2, 3), ("a", "b", "c"), {"a", "b", "c"}),
        ((0, 1, 3), ("a", "b", "c", "d"), {"a", "b", "d"}),
        ((0, 1), ("a", "b", "c"), {"a", "b"}),
        ((1, 2), ("a", "b", "c"), None),  # from 0 or from 1?
        ((0, 1, 2), ("a", "b"), None),
        ((0, 7), ("a",), None),
    ],
)
def test_labels_name_numbers_from_0_or_1(
    tmp_path: Path, write: Write, numbers: tuple[int, ...], labels: tuple[str, ...], expected: set[str] | None
) -> None:
    for number in numbers:
        write(f"{number}/a.png", "happy")
    if expected is None:
        with pytest.raises(DataError, match="expected --labels to name each of the numbers"):
            load(tmp_path / "data", labels=labels)
    else:
        assert set(load(tmp_path / "data", labels=labels)["train"].classes) == expected


def test_labels_of_your_own_and_what_is_passed_over(
    tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Bored", "focused", "away"):
        write(f"my_faces/{name}/monday/1.png", "happy")
    write("my_faces/loose.png", "happy")
    (tmp_path / "data" / "my_faces" / "notes.txt").write_text("\x1b[2J")
    faces = load(tmp_path / "data", ignore=("away",))["train"]
    assert faces.classes == ("bored", "focused")
    error = capsys.readouterr().err
    assert "passed over 3: " in error
    for reason in ("1 no picture", "1 of no known class", "1 away (--ignore)"):
        assert reason in error
    with pytest.raises(DataError, match=r"--ignore bored$"):
        faces.of_classes(("angry", "focused"))


def test_names_that_mean_the_same_are_told(tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("calm", "neutral", "hapy"):
        write(f"{name}/1.png", "happy")
    assert load(tmp_path / "data")["train"].classes == ("hapy", "neutral")
    error = capsys.readouterr().err
    assert "the folders calm, neutral are all read as neutral" in error


def test_numbers_inside_numbers_are_not_guessed(tmp_path: Path, write: Write) -> None:
    for number in (0, 1):
        write(f"{number}/001/a.png", "happy")
    with pytest.raises(DataError, match=r"some inside others: \d/001"):
        load(tmp_path / "data", labels=("a", "b"))


def test_a_linked_folder_is_read_once(tmp_path: Path, write: Write) -> None:
    write("happy/1.png", "happy")
    write("sad/1.png", "sad")
    (tmp_path / "data" / "sad" / "loop").symlink_to(tmp_path / "data")
    assert len(load(tmp_path / "data")["train"]) == 2


PIXELS = " ".join(["7"] * 48 * 48)


@pytest.mark.parametrize(
    ("content", "encoding", "counts"),
    [
        ("emotion,pixels,Usage\n3,{0},Training\n0,{0},PublicTest\n", "utf-8-sig", {"train": 1, "public": 1}),
        ("emotion;pixels;Usage\n3;{0};Training\n0;{0};Training\n", "utf-8", {"train": 2}),
        ("label\timage\nhappy\t{0}\nsadness\t{0}\n", "utf-16", {"train": 2}),
        ("label\timage\nhappy\t{0}\nsadness\t{0}\n", "utf-16-le", {"train": 2}),
        ('emotion,pixels\nhappy,"{0}"\nbored,"{0}"\n', "utf-8", {"train": 2}),
        ('"3","{0}","Training"\n"0","{0}","PrivateTest"\n', "utf-8", None),  # numbers without a header
        ('happy,"{0}","Training"\nsad,"{0}","PrivateTest"\n', "utf-8", {"train": 1, "private": 1}),
        ("label,pixels,split\nhappy,{0},val\nsad,{0},test\n", "utf-8", {"public": 1, "test": 1}),
    ],
)
def test_tables(tmp_path: Path, content: str, encoding: str, counts: dict[str, int] | None) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes(content.format(PIXELS).encode(encoding))
    if counts is None:
        with pytest.raises(DataError, match="add --labels"):
            load(path)
        counts = {"train": 1, "private": 1}
        faces = load(path, labels=CSV_LABELS)
    else:
        faces = load(path)
    assert {split: len(own) for split, own in faces.items()} == counts


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("70 80 82 72 58\n", "no header, but 1 columns of numbers"),
        (f"{PIXELS}\n", "no header"),
        ("a;b\n1;2\n", "a, b"),
        ("", "an empty first line"),
        (f"{',x' * 500}\n", "and 495 more"),
    ],
)
def test_the_error_for_a_table_never_prints_pixels(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=found) as error:
        load(tmp_path / "a.csv")
    assert len(str(error.value)) < 300 + len(str(tmp_path))


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def png(label: int) -> bytes:
    return cv2.imencode(".png", drawn_face(label, 0))[1].tobytes()


FACES = {"fer/happy/1.png": png(3), "fer/sad/1.png": png(5)}


def test_archives_are_read_and_write_nothing_outside(tmp_path: Path) -> None:
    outside = {"../evil.png": png(0), "/tmp/evil_absolute.png": png(0), "C:\\evil.png": png(0), "__MACOSX/x.png": b""}
    path = zipped(tmp_path / "faces.ZIP", FACES | outside)
    assert len(load(path)["train"]) == 2
    assert not (tmp_path / "evil.png").exists()
    assert not Path("/tmp/evil_absolute.png").exists()
    tarred = tmp_path / "faces.tar.gz"
    with tarfile.open(tarred, "w:gz") as target:
        link = tarfile.TarInfo("fer/happy/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        target.addfile(link)
        for name, content in {**FACES, "../evil.png": png(0)}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    assert len(load(tarred)["train"]) == 2
    assert not (tmp_path / "evil.png").exists()


def test_archives_inside_archives_and_one_for_each_split(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {f"fer2013/{name}": content for name, content in FACES.items()}).read_bytes()
    assert len(load(zipped(tmp_path / "outer.zip", {"readme": b"", "inner.zip": inner}))["train"]) == 2
    (tmp_path / "parts").mkdir()
    for split in ("train", "test"):
        zipped(tmp_path / "parts" / f"{split}.zip", FACES)
    assert {split: len(own) for split, own in load(tmp_path / "parts").items()} == {"train": 2, "test": 2}


@pytest.mark.parametrize("content", [b"", b"PK\3\4 no archive", b"\x1f\x8b\x08 cut"])
@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
def test_damaged_archives_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"faces{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot unpack .*faces"):
        load(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    path = zipped(tmp_path / "bomb.zip", {"happy/1.png": bytes(2_000_000)})
    with pytest.raises(DataError, match="found more; unpack it yourself"):
        load(path)


def test_small_cases_of_the_field() -> None:
    cases = shared("cases/data")
    assert load(cases / "csv_folder")["train"].classes == ("angry",)
    assert load(cases / "other_suffixes")["train"].classes == ("angry", "happy")
    faces = load(cases / "numbered_csv_order", labels=CSV_LABELS)["train"]
    assert np.bincount(faces.labels).tolist() == [3] * 7

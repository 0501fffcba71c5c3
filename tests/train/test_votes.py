"""Test reading votes, clear majorities, and the metrics against votes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from tests.conftest import shared
from train.data import FaceSet, load
from train.evaluation import evaluate_on_votes, evaluate_predictions
from train.votes import CHOICES, Votes, read_votes, votes_of, votes_on

HEADER = "name,usage,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
SEVEN = "name,neutral,happy,surprise,sad,angry,disgust,fear\n"


def counts(**votes: int) -> list[float]:
    return [float(votes.get(choice, 0)) for choice in CHOICES]


def test_counts_are_in_our_order_and_names_lose_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(HEADER + "Training_1.png,Training,1,0,0,6,1,0,0,1,1,0\nx,Training" + ",1" * 10)
    votes = read_votes(tmp_path / "votes.csv")
    assert votes["Training_1"].tolist() == counts(neutral=1, sad=6, angry=1, contempt=1, unknown=1)
    found = votes_on(["x.jpg", "Training_1"], tmp_path / "votes.csv")
    assert found.counts[1].tolist() == votes["Training_1"].tolist()
    assert found.counts[0].tolist() == [1.0] * 10


@pytest.mark.parametrize(
    ("votes", "clear", "why"),
    [
        (counts(sad=5, neutral=4, unknown=1), True, "half of ten"),
        (counts(sad=4, neutral=3, fear=3), False, "below half"),
        (counts(sad=5, neutral=5), False, "a tie"),
        (counts(sad=5, contempt=5), False, "no more than contempt"),
        (counts(sad=5, unknown=5), False, "no more than unknown"),
        (counts(sad=5, NF=5), False, "no more than no face"),
        (counts(NF=10), False, "no vote for an emotion"),
        (counts(), False, "no votes"),
    ],
)
def test_clear_majorities(votes: list[float], clear: bool, why: str) -> None:
    row = Votes(np.array([votes], dtype=np.float32))
    assert row.clear().tolist() == [clear], why
    if clear:
        assert EMOTIONS[int(row.majority()[0])] == "sad"


def test_faces_that_are_none_to_the_annotators_are_not_usable() -> None:
    votes = Votes(np.array([counts(NF=6, sad=4), counts(NF=5, sad=5), counts(unknown=10), counts(sad=1)], np.float32))
    assert votes.no_face().tolist() == [True, False, False, False]
    assert votes.usable().tolist() == [False, True, False, True]
    np.testing.assert_allclose(votes.shares().sum(axis=1), [1, 1, 0, 1])


def test_the_votes_of_fer_plus() -> None:
    table = read_votes(shared("data/ferplus.csv"))
    assert EMOTIONS[int(table["PublicTest_10014592"][:7].argmax())] == "sad"
    public = [name for name in table if name.startswith("PublicTest")]
    votes = votes_on(public, shared("data/ferplus.csv"))
    assert len(table) == 32_138
    assert (len(public), int(votes.clear().sum()), int(votes.no_face().sum())) == (3579, 3172, 1)


def test_fer_plus_own_file_fits_the_rows_of_fer_2013(tmp_path: Path) -> None:
    """Match by row, not by the name of its picture, which leaves rows without a face out of its count."""
    own = tmp_path / "fer2013new.csv"
    rows = ["Training,fer0000000.png,0,9,0,1,0,0,0,0,0,0", "Training,,0,0,0,0,0,0,0,0,0,10"]
    rows += ["PublicTest,fer0000001.png,0,0,0,10,0,0,0,0,0,0"]
    own.write_text("Usage,Image name," + HEADER.split(",", 2)[2] + "\n".join(rows))
    table = tmp_path / "fer2013.csv"
    pixels = " ".join(["7"] * 48 * 48)
    table.write_text(f"emotion,pixels,Usage\n3,{pixels},Training\n3,{pixels},Training\n4,{pixels},PublicTest\n")
    faces = load(table)
    assert votes_on(faces["train"].names, own).counts.tolist() == [counts(happy=9, sad=1), counts(NF=10)]
    assert votes_on(faces["public"].names, own).counts.tolist() == [counts(sad=10)]


def test_votes_that_contradict_the_labels_are_refused(tmp_path: Path) -> None:
    names = [str(i) for i in range(200)]
    (tmp_path / "votes.csv").write_text(SEVEN + "".join(f"{name},0,10,0,0,0,0,0\n" for name in names))
    happy, sad = (np.full(200, EMOTIONS.index(emotion)) for emotion in ("happy", "sad"))
    assert votes_of(names, happy, tmp_path / "votes.csv").clear().all()
    with pytest.raises(DataError, match="agree with 0% of their labels"):
        votes_of(names, sad, tmp_path / "votes.csv")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "a row for each face, found no row"),
        (SEVEN, "a row for each face, found no row"),
        ("name,neutral\nx,1\n", "no column for angry"),
        ("a,b\n1,2\n", "no column 'name'"),
        (SEVEN + "x,1,0,inf,0,0,0,0\n", "counts of 0 or more"),
        (SEVEN + "x,1,0,1e39,0,0,0,0\n", "counts of 0 or more"),
        (SEVEN + "x,1,0\n", "counts of 0 or more"),
        (SEVEN + "x,9,0,-1,0,0,0,0\n", "counts of 0 or more"),
        pytest.param(SEVEN + "x" * 131_073 + ",9,0,0,0,0,0,0\n", "field larger than field limit", id="a long field"),
    ],
)
def test_other_tables_are_refused(content: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(content)
    limit = csv.field_size_limit(131_072)  # Python's own; train.layouts.table raises it
    try:
        with pytest.raises(DataError, match=f"table of votes.*{found}"):
            read_votes(tmp_path / "votes.csv")
    finally:
        csv.field_size_limit(limit)


def test_votes_on_other_faces_are_refused(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(SEVEN + "else,1,0,0,0,0,0,0\n")
    with pytest.raises(DataError, match="found 0 of 2"):
        votes_on(["a", "b"], tmp_path / "votes.csv")


def test_metrics_against_votes_by_hand() -> None:
    """Three clear faces (sad, sad, happy), one unclear, one that is no face."""
    table = [counts(sad=10), counts(sad=6, neutral=4), counts(happy=10), counts(sad=4, fear=4, happy=2), counts(NF=10)]
    sad, happy = EMOTIONS.index("sad"), EMOTIONS.index("happy")
    probabilities = np.full((5, 7), 0.01, dtype=np.float32)
    for row, (emotion, confidence) in enumerate([(sad, 0.9), (happy, 0.6), (happy, 0.8), (sad, 0.5), (sad, 0.9)]):
        probabilities[row, emotion] = confidence
    result = evaluate_on_votes(Votes(np.array(table, dtype=np.float32)), probabilities)
    assert (result["faces"], result["clear_faces"]) == (4, 3)
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert result["mean_recall"] == pytest.approx((0.5 + 1) / 2), "of the emotions that have clear faces"
    assert result["per_class"]["sad"] == {"recall": 0.5, "faces": 2}
    assert result["per_class"]["fear"] == {"recall": None, "faces": 0}
    # Shares of votes for the predictions: 1 (at 0.9), 0 (at 0.6), 1 (at 0.8), 0.4 (at 0.5); each in a bin of its own.
    assert result["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.1) / 4, abs=1e-6)


def test_votes_are_counted_again_without_faces_that_are_in_training(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    sad, happy = EMOTIONS.index("sad"), EMOTIONS.index("happy")
    faces = FaceSet(images, np.array([sad, sad, happy, happy]), ("0", "1", "2", "3"), "public")
    (tmp_path / "votes.csv").write_text(
        SEVEN + "".join(f"{i},0,{9 * (i > 1)},0,{9 * (i < 2)},0,0,0\n" for i in range(4))
    )
    probabilities = np.eye(7, dtype=np.float32)[[sad, happy, happy, happy]]
    training = faces.take(np.array([0, 2]))
    result = evaluate_predictions(faces, probabilities, training, tmp_path / "votes.csv")
    assert (result["votes"]["clear_faces"], result["votes"]["accuracy"]) == (4, 0.75)
    for subset in ("not_in_training", "not_nearly_in_training"):
        assert (result[subset]["votes"]["clear_faces"], result[subset]["votes"]["accuracy"]) == (2, 0.5)
    assert "votes" not in evaluate_predictions(faces, probabilities, training)["not_in_training"]

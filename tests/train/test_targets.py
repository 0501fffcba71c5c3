"""Test targets, validation measures and class weights, from labels and from votes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data import FaceSet, load
from train.recipe import Recipe
from train.targets import class_weights, one_hot, training_examples, validation_set

HEADER = "name,usage,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
RECIPE = Recipe(data="")
SAD, HAPPY, NEUTRAL = (EMOTIONS.index(name) for name in ("sad", "happy", "neutral"))


@pytest.fixture(scope="module")
def faces(drawn_data: Path) -> FaceSet:
    return load(drawn_data)["train"]


def write_votes(path: Path, faces: FaceSet, *rows: str) -> Recipe:
    """Write a row of votes for each of the first faces, and return a recipe with the table."""
    lines = [f"{name},Training,{row}" for name, row in zip(faces.names, rows, strict=False)]
    path.write_text("\n".join([HEADER, *lines]))
    return replace(RECIPE, soft_labels=str(path))


def test_without_votes_targets_are_labels(faces: FaceSet) -> None:
    examples = training_examples(faces, RECIPE)
    assert (examples.targets == one_hot(faces.labels)).all()
    validation = validation_set(faces, RECIPE)
    assert (validation.labels == faces.labels).all()
    assert validation.counted.all()


def test_votes_replace_labels_and_no_faces_are_left_out(faces: FaceSet, tmp_path: Path) -> None:
    three = faces.take(np.arange(3))
    recipe = write_votes(
        tmp_path / "v.csv", three, "1,0,0,6,1,0,0,1,1,0", "0,0,0,4,0,0,0,0,0,6", "0,0,0,0,0,0,0,0,10,0"
    )
    examples = training_examples(three, recipe)
    assert examples.faces.names == (three.names[0], three.names[2])
    targets = dict(zip(EMOTIONS, examples.targets[0].tolist(), strict=True))
    assert targets == pytest.approx({**dict.fromkeys(EMOTIONS, 0.0), "neutral": 1 / 8, "sad": 6 / 8, "angry": 1 / 8})
    assert (examples.targets[1] == one_hot(three.labels)[2]).all(), "no votes for an emotion: its label stays"


def test_validation_measures_against_votes(faces: FaceSet, tmp_path: Path) -> None:
    four = faces.take(np.arange(4))
    rows = ["0,0,0,10,0,0,0,0,0,0", "5,0,0,5,0,0,0,0,0,0", "0,8,0,0,0,0,0,2,0,0", "0,0,0,0,0,0,0,0,0,10"]
    validation = validation_set(four, write_votes(tmp_path / "v.csv", four, *rows))
    assert validation.faces.names == four.names[:3], "the last one is no face"
    assert validation.counted.tolist() == [True, False, True]
    assert (validation.labels[0], validation.labels[2]) == (SAD, HAPPY)
    probabilities = np.full((3, 7), 0.1, dtype=np.float32)
    probabilities[:, SAD] = 0.4
    measures = validation.measure(probabilities)
    assert measures["val_accuracy"] == 0.5
    assert measures["val_recall"] == 0.5
    expected = -np.log([0.4, np.sqrt(0.1 * 0.4), 0.1]).mean()
    assert measures["val_loss"] == pytest.approx(expected, rel=1e-5)


def test_validation_without_a_clear_majority_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    one = faces.take(np.arange(1))
    with pytest.raises(DataError, match="clear majorities"):
        validation_set(one, write_votes(tmp_path / "v.csv", one, "5,0,0,5,0,0,0,0,0,0"))


def test_posteriors_smooth_labels_by_votes(faces: FaceSet, tmp_path: Path) -> None:
    """The annotators say neutral where this set says sad, and agree on the rest; one label is wrong."""
    labels = faces.labels.copy()
    wrong = int(np.flatnonzero(labels == HAPPY)[0])
    rows = [",".join(["name", *EMOTIONS])]
    for name, label in zip(faces.names, np.where(labels == SAD, NEUTRAL, labels), strict=True):
        rows.append(",".join([name, *("9" if i == label else "0" for i in range(7))]))
    (tmp_path / "votes.csv").write_text("\n".join(rows))
    labels[wrong] = SAD
    recipe = replace(RECIPE, soft_labels=str(tmp_path / "votes.csv"), votes="posterior")
    relabelled = replace(faces, labels=labels)
    targets = training_examples(relabelled, recipe).targets
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    assert targets[wrong, SAD] == pytest.approx(0.5, abs=0.05)
    assert targets[wrong, HAPPY] > 0.4, "the votes correct the label"
    right = np.flatnonzero(labels == faces.labels)
    others = right[~np.isin(labels[right], [SAD, NEUTRAL])]
    assert (targets[others, labels[others]] > 0.9).all()
    assert (targets[labels == SAD][:, NEUTRAL] < 0.4).all(), "their neutral may be this set's sad: the label stays"
    assert (validation_set(relabelled, recipe).labels == labels).all(), "labels are still what is learned"


@pytest.mark.parametrize(("power", "ratio"), [(0.0, 1.0), (0.5, 3.0), (1.0, 9.0)])
def test_class_weights_are_powers_of_the_frequency(power: float, ratio: float) -> None:
    targets = one_hot(np.repeat(np.arange(7), [1, 9, 9, 9, 9, 9, 9]))
    weights = class_weights(targets, power)
    assert weights[0] / weights[1] == pytest.approx(ratio, rel=1e-5)
    assert (targets @ weights).mean() == pytest.approx(1, rel=1e-5)


def test_class_weights_count_votes() -> None:
    soft = np.full((40, 7), 0.1, dtype=np.float32)
    soft[:, HAPPY] = 0.4
    weights = class_weights(soft, 1.0)
    assert weights[0] / weights[HAPPY] == pytest.approx(4, rel=1e-5)

"""Turn labels and annotators' votes into targets for training, and into the measures that epochs are chosen by.

Training on the distribution of votes in place of one label is label distribution learning (Barsoum et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Floats, Probabilities
from train.data import FaceSet
from train.metrics import cross_entropy, recalls
from train.recipe import Recipe
from train.votes import Votes, votes_of

LABEL_SHARE = 0.5  # of a target with --votes posterior; P(label | votes) has the rest
SMOOTHING = 0.05  # added to a share of votes before its logarithm: a single vote more or less then matters little


@dataclass(frozen=True)
class Examples:
    """Training faces with their targets, float32 [n, classes]: probabilities that sum to 1."""

    faces: FaceSet
    targets: Floats

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Validation:
    """Validation faces with their targets float32 [n, classes], labels int64 [n], and which labels count, bool [n].

    Labels are the data set's and all count, or they are the annotators' majorities and the clear ones count.
    """

    faces: FaceSet
    targets: Floats
    labels: npt.NDArray[np.int64]
    counted: npt.NDArray[np.bool_]

    def measure(self, probabilities: Probabilities) -> dict[str, float]:
        """Return accuracy and mean recall on the labels that count, and the cross-entropy with all targets."""
        labels = self.labels[self.counted]
        predictions = probabilities.argmax(axis=1)[self.counted]
        return {
            "val_accuracy": float((predictions == labels).mean()),
            "val_recall": float(np.nanmean(recalls(labels, predictions, len(self.faces.classes)))),
            "val_loss": cross_entropy(self.targets, probabilities),
        }


def one_hot(labels: npt.NDArray[np.int64], classes: int = len(EMOTIONS)) -> Floats:
    """Return labels [n] as probabilities float32 [n, classes]."""
    return np.eye(classes, dtype=np.float32)[labels]


def training_examples(faces: FaceSet, recipe: Recipe) -> Examples:
    """Return the faces with their labels as targets or, if the recipe names a table of votes, with these.

    Faces that annotators call no face are left out; faces without votes for an emotion keep their labels.
    """
    if not recipe.soft_labels:
        return Examples(faces, one_hot(faces.labels, len(faces.classes)))
    votes = _votes_on(faces, recipe.soft_labels)
    kept = np.flatnonzero(~votes.no_face())
    faces = faces.take(kept)
    votes = Votes(votes.counts[kept])
    usable = votes.usable()
    print(f"votes on {usable.sum()} of {len(faces)} training faces; the others keep their labels")
    targets = one_hot(faces.labels)
    shares = votes.shares()[usable]
    if recipe.votes == "posterior":
        posteriors = label_posteriors(faces.labels[usable], shares)
        shares = LABEL_SHARE * targets[usable] + (1 - LABEL_SHARE) * posteriors
    targets[usable] = shares
    return Examples(faces, targets)


def validation_set(faces: FaceSet, recipe: Recipe) -> Validation:
    """Return the faces to choose the epoch on: with votes if these are the targets of training, else with labels.

    Of the votes, those on faces that annotators call a face are used. Raises DataError without a clear majority.
    """
    if not recipe.learns_votes:
        targets = one_hot(faces.labels, len(faces.classes))
        return Validation(faces, targets, faces.labels, np.ones(len(faces), dtype=bool))
    votes = _votes_on(faces, recipe.soft_labels)
    kept = np.flatnonzero(votes.usable())
    votes = Votes(votes.counts[kept])
    if not votes.clear().any():
        raise DataError(f"expected clear majorities among the votes of {recipe.soft_labels}, found none")
    return Validation(faces.take(kept), votes.shares(), votes.majority(), votes.clear())


def _votes_on(faces: FaceSet, table: str) -> Votes:
    """Return the votes on these faces. Raises DataError for faces of other classes than the table's."""
    if faces.classes != EMOTIONS:
        raise DataError(
            f"expected faces of {', '.join(EMOTIONS)} for the votes of {table}, found {', '.join(faces.classes)}"
        )
    return votes_of(faces.names, faces.labels, Path(table))


def label_posteriors(labels: npt.NDArray[np.int64], shares: Floats) -> Floats:
    """Return P(label | votes), float32 [n, 7], by multinomial logistic regression of labels [n] on vote shares [n, 7].

    Annotators use the emotions differently from FER-2013's labels: they say neutral where FER-2013 says sad or angry.
    Votes in place of labels therefore teach another task. These posteriors keep the task and smooth each label as far
    as ten people doubt it.
    """
    from sklearn.linear_model import LogisticRegression

    features = np.log(shares + SMOOTHING)
    model = LogisticRegression(max_iter=1000).fit(features, labels)
    posteriors = np.zeros_like(shares)
    posteriors[:, model.classes_] = model.predict_proba(features)
    return posteriors


def emotion_frequencies(targets: Floats) -> npt.NDArray[np.float64]:
    """Return the frequency of each class in targets [n, classes], float64 [classes]: at least that of a single face."""
    return np.maximum(targets.mean(axis=0, dtype=np.float64), 1 / len(targets))


def class_weights(targets: Floats, power: float) -> Floats:
    """Return a weight for each class, float32 [classes], proportional to frequency ** -power.

    Their mean over the faces is 1. Power 1 gives all classes the same total weight, 0 leaves the frequencies as they
    are.
    """
    frequencies = emotion_frequencies(targets)
    weights = frequencies**-power
    return np.asarray(weights / (frequencies * weights).sum(), dtype=np.float32)

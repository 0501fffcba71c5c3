"""Faces in batches, with what they are to be called: labels, annotators' votes, mixtures, and what teachers say."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Floats
from train.augment import NONE, Augmentation, augment, mix
from train.data import FaceSet
from train.forms import SYNONYMS
from train.predict import keras_inputs
from train.runs import Recipe
from train.teachers import Teacher, mean_of

LABEL_SHARE = 0.5  # of a target that votes have a part in


class Batches(keras.utils.PyDataset):
    """The same seed, epoch and batch number give the same pixels and targets, so that a resumed run is exact."""

    def __init__(
        self,
        faces: FaceSet,
        recipe: Recipe,
        limits: Augmentation,
        teachers: Sequence[Teacher] = (),
        parts: int = 1,
    ) -> None:
        super().__init__(workers=1)
        # A batch is cut into so many parts, one a worker: of equal size, or their means would weigh unequally.
        self.parts = parts
        self.faces, self.recipe, self.limits, self.teachers = faces, recipe, limits, teachers
        self.epoch = 0  # set by RunFolder: Keras' own on_epoch_end also comes once before a fresh model's first epoch
        self._count = len(faces) - len(faces) % parts
        self._targets = one_hot(faces) if limits == NONE else targets(faces, recipe)
        counts = np.bincount(faces.labels, minlength=len(EMOTIONS))
        self._class_weights = np.asarray(len(faces) / len(EMOTIONS) / np.maximum(counts, 1), dtype=np.float32)

    def __len__(self) -> int:
        return -(-self._count // self.recipe.batch)

    def __getitem__(self, index: int) -> tuple[Floats, ...]:
        """Float32 [b, size, size, 3], targets [b, 7], or [b, 14] with a teacher's, and weights [b] where asked for."""
        start = index * self.recipe.batch
        picked = self._order()[start : start + self.recipe.batch]
        rng = np.random.default_rng([self.recipe.seed, self.epoch, index])
        wanted = self._targets[picked]
        if self.limits == NONE:
            return keras_inputs(self.faces.images[picked], self.recipe.size), wanted
        images = augment(self.faces.images[picked], self.recipe.size, rng, self.limits)
        images, wanted = mix(images, wanted, rng, self.recipe.mix)
        taught = np.hstack([wanted, mean_of(self.teachers, images)]) if self.teachers else wanted
        if self.recipe.balance == "weights":
            return images, taught, wanted @ self._class_weights
        return images, taught

    def _order(self) -> npt.NDArray[np.int64]:
        """Of an epoch: every face once or, with balanced sampling, as many, each emotion as often as the others."""
        if self.limits == NONE:
            return np.arange(self._count)
        rng = np.random.default_rng([self.recipe.seed, self.epoch])
        if self.recipe.balance == "sampling":
            chances = self._class_weights[self.faces.labels].astype(np.float64)
            return rng.choice(len(self.faces), self._count, p=chances / chances.sum())
        return rng.permutation(len(self.faces))[: self._count]


def one_hot(faces: FaceSet) -> Floats:
    return np.eye(len(EMOTIONS), dtype=np.float32)[faces.labels]


def targets(faces: FaceSet, recipe: Recipe) -> Floats:
    """What each face is to be called, [n, 7]: its label or, where the recipe names them, the annotators' votes.

    With `votes="posterior"`: LABEL_SHARE of its label, and the rest P(label | votes).
    """
    found = one_hot(faces)
    if not recipe.soft_labels:
        return found
    votes = read_votes(Path(recipe.soft_labels))
    known = [i for i, name in enumerate(faces.names) if Path(name).stem in votes]
    if 2 * len(known) < len(faces):  # names that happen to be the same would be other people's votes
        raise DataError(
            f"expected votes on faces such as {faces.names[0]} in {recipe.soft_labels}, found {len(known)} of "
            f"{len(faces)}; the table names the pictures of Kaggle's folders"
        )
    print(f"votes on {len(known)} of {len(faces)} faces; the others keep their labels")
    voted = np.stack([votes[Path(faces.names[i]).stem] for i in known])
    if recipe.votes == "posterior":
        voted = LABEL_SHARE * found[known] + (1 - LABEL_SHARE) * label_posteriors(faces.labels[known], voted)
    found[known] = voted
    return found


def label_posteriors(labels: npt.NDArray[np.int64], votes: Floats) -> Floats:
    """P(label | votes) for each face, float32 [n, 7]: multinomial logistic regression of labels [n] on votes [n, 7].

    Those who labelled a set and those who voted on it later mean different things by the same words (FER+ says neutral
    where FER-2013 says sad or angry), so votes in place of labels would teach another task. Translated into the words
    of the labels they spread each label as far as ten people doubt it, in place of evenly.
    """
    from sklearn.linear_model import LogisticRegression

    seldom = 0.05  # share of the votes below which their number matters little
    seen = np.log(votes + seldom)
    model = LogisticRegression(max_iter=1000).fit(seen, labels)
    found = np.zeros_like(votes)
    found[:, model.classes_] = model.predict_proba(seen)
    return found


def read_votes(path: Path) -> dict[str, Floats]:
    """FER+ (Barsoum et al. 2016): a face's name, without suffix -> shares of its votes for our emotions, float32 [7].

    Votes for contempt, unknown and no face are left out; faces with no other votes are not there.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {SYNONYMS.get(name, name): name for name in rows[0] if not name.isdigit()}
        if "name" not in rows[0]:
            raise ValueError("no column 'name' with the pictures' file names")
        if missing := [emotion for emotion in EMOTIONS if emotion not in columns]:
            raise ValueError(f"no column for {', '.join(missing)}")
        found = {}
        for row in rows:
            counts = np.array([float(row[columns[emotion]]) for emotion in EMOTIONS], dtype=np.float32)
            if not (np.isfinite(counts).all() and counts.min() >= 0):
                raise ValueError(f"votes of {row['name']} are {counts.tolist()}, and not numbers from 0")
            if counts.sum() > 0:
                found[Path(row["name"]).stem] = counts / counts.sum()
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"expected a table of votes such as FER+'s, cannot read {path}: {error}") from error
    return found

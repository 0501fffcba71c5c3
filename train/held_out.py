"""Compare finished models on the held-out tenth of Training: the tables of train.adjust and train.average."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.values import Probabilities
from train.data import FaceSet, fingerprint, load, train_val_split
from train.evaluation import check_vote_classes, evaluate_on_votes
from train.metrics import calibration_error, recalls
from train.recipe import Recipe
from train.votes import Votes, votes_of

NAME_WIDTH = 24  # of a table's first column


@dataclass(frozen=True)
class HeldOut:
    """Hold the rest of Training, and its held-out tenth with the annotators' votes, if there are any."""

    training: FaceSet
    faces: FaceSet
    votes: Votes | None

    def measure(self, probabilities: Probabilities) -> tuple[float, float, float]:
        """Return accuracy, mean recall and calibration error of [n, classes], against votes if there are any."""
        if self.votes is not None:
            scores = evaluate_on_votes(self.votes, probabilities)
            return scores["accuracy"], scores["mean_recall"], scores["calibration_error"]
        predictions = probabilities.argmax(axis=1)
        correct = predictions == self.faces.labels
        recall = float(np.nanmean(recalls(self.faces.labels, predictions, len(self.faces.classes))))
        return float(correct.mean()), recall, calibration_error(correct, probabilities.max(axis=1))

    def print_heading(self) -> None:
        """Print what the rows of the table are measured on, and the names of its columns."""
        against = "votes (clear majorities)" if self.votes else "labels"
        print(f"{len(self.faces)} faces of {self.faces.split}, against {against}")
        print(f"{'':<{NAME_WIDTH}}  accuracy  mean recall  calibration error")

    def print_row(self, name: str, probabilities: Probabilities) -> None:
        """Print the measures of a model's probabilities [n, classes] on these faces."""
        accuracy, recall, error = self.measure(probabilities)
        print(f"{name:<{NAME_WIDTH}}  {accuracy:8.2%}  {recall:11.3f}  {error:17.3f}", flush=True)


def print_caveat(recipes: Iterable[Recipe | None], training: FaceSet, held_out: FaceSet) -> None:
    """Say so if a model may have learned the held-out faces: itself, or the one that its training started from."""
    faces_sha256 = fingerprint(training, held_out)
    if any(recipe is None or recipe.may_know(faces_sha256) for recipe in recipes):
        print("the model, or what its training started from, may have learned these faces: the figures may be too high")


def load_held_out(data: Path, recipe: Recipe | None, classes: tuple[str, ...], soft_labels: str) -> HeldOut:
    """Load the faces that a model with this recipe and these classes is compared on, and the votes on them."""
    if soft_labels:
        check_vote_classes(classes)
    recipe = recipe or Recipe(str(data))
    faces = load(data, ("train",), labels=recipe.labels, ignore=recipe.ignore)
    training, held_out = (part.of_classes(classes) for part in train_val_split(faces, data))
    votes = votes_of(held_out.names, held_out.labels, Path(soft_labels)) if soft_labels else None
    return HeldOut(training, held_out, votes)

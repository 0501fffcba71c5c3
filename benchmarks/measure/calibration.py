"""Measure the accuracy with and without correction by a person's neutral face, on pictures of several people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from benchmarks.measure.labelled import LabelledPicture, is_correct
from edge.labels import EMOTIONS
from edge.neutral import NEUTRAL, OFFSET, STRENGTH, NeutralProfile
from edge.values import Probabilities

NEUTRAL_INDEX = EMOTIONS.index(NEUTRAL)
STRENGTHS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
OFFSETS = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5)


@dataclass(frozen=True)
class PersonPictures:
    """Hold one person's labels [n] and probabilities [n, 7] by picture; a row of zeros is a missed face.

    A missed face counts as wrong, and calibrates nothing.
    """

    name: str
    labels: npt.NDArray[np.int64]
    probabilities: Probabilities

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Return in which pictures the face was found, bool [n]."""
        return np.asarray(self.probabilities.max(axis=1) > 0)

    def accuracy(self, at_least: float = 0.0) -> float:
        """Return the accuracy without correction; see is_correct for `at_least`."""
        return self._mean(lambda reference: self.probabilities, at_least)

    def calibrated_accuracy(self, strength: float = STRENGTH, offset: float = OFFSET, at_least: float = 0.0) -> float:
        """Return the accuracy corrected by one neutral picture."""
        return self._mean(lambda reference: self._corrected([reference], strength, offset), at_least)

    def averaged_accuracy(self, strength: float = STRENGTH, offset: float = OFFSET, at_least: float = 0.0) -> float:
        """Return the accuracy corrected by the average of all the person's pictures."""
        corrected = self._corrected(np.flatnonzero(self.found).tolist(), strength, offset)
        return self._mean(lambda reference: corrected, at_least)

    def _corrected(self, references: Sequence[int], strength: float, offset: float) -> Probabilities:
        """Return the probabilities [n, 7], corrected by these pictures."""
        profile = NeutralProfile.from_outputs(EMOTIONS, list(self.probabilities[list(references)]))
        return np.stack([profile.apply(row, strength, offset) for row in self.probabilities]) * self.found[:, None]

    def _mean(self, outputs: Callable[[int], Probabilities], at_least: float) -> float:
        """Return the accuracy of all pictures but a neutral one: the mean over all neutral pictures.

        `outputs` returns the probabilities [n, 7] for a neutral picture. What is compared is thus of the same pictures.
        """
        accuracies = []
        for reference in np.flatnonzero((self.labels == NEUTRAL_INDEX) & self.found).tolist():
            correct = is_correct(self.labels, outputs(reference), at_least)
            accuracies.append(np.delete(correct, reference).mean())
        return float(np.mean(accuracies))


def by_person(pictures: Sequence[LabelledPicture], probabilities: Probabilities) -> list[PersonPictures]:
    """Return the people with a picture of another emotion and a neutral one whose face was found, which calibrates."""
    people = []
    labels = np.array([picture.label for picture in pictures])
    names = np.array([picture.person for picture in pictures])
    for name in sorted({picture.person for picture in pictures} - {""}):
        own = names == name
        person = PersonPictures(name, labels[own], probabilities[own])
        is_neutral = person.labels == NEUTRAL_INDEX
        if (is_neutral & person.found).any() and not is_neutral.all():
            people.append(person)
    return people


def held_out_accuracy(
    people: Sequence[PersonPictures], accuracy: Callable[[PersonPictures, float, float], float]
) -> tuple[float, tuple[float, float]]:
    """Return the mean accuracy with strength and offset chosen on the other people, and the best pair on all.

    `accuracy` is a method of PersonPictures: `calibrated_accuracy` or `averaged_accuracy`.
    """
    pairs = list(product(STRENGTHS, OFFSETS))
    table = np.array([[accuracy(person, *pair) for pair in pairs] for person in people])
    chosen = [table[np.arange(len(people)) != i].mean(axis=0).argmax() for i in range(len(people))]
    held_out = float(np.mean([table[i, choice] for i, choice in enumerate(chosen)]))
    return held_out, pairs[int(table.mean(axis=0).argmax())]

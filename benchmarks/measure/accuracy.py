"""Measure the accuracy of the models, and the effect of quantization, paired on the same faces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.codec import from_json
from benchmarks.measure.models import Candidate
from benchmarks.results import Dataset, QuantizationChange, RecallChange, Scores
from edge.errors import DataError
from edge.labels import EMOTIONS
from edge.values import Probabilities
from train.data import FaceSet, evaluation_split, load, seen_in
from train.metrics import mcnemar, report
from train.predict import predict_backend
from train.progress import Advance
from train.provenance import data_set

Correct = npt.NDArray[np.bool_]  # [n], whether the prediction for a face is right


@dataclass(frozen=True)
class Faces:
    """Hold the faces for accuracy, and which of them are pixel for pixel among the training faces too."""

    evaluation: FaceSet
    in_training: Correct
    path: Path

    def describe(self) -> Dataset:
        faces = self.evaluation
        return Dataset(
            split=faces.split,
            faces=len(faces),
            sha256=hashlib.sha256(faces.images.tobytes() + faces.labels.tobytes()).hexdigest(),
            also_in_training=int(self.in_training.sum()),
            labels="".join(map(str, faces.labels)),
            path=str(self.path),
            name=data_set(faces.names, self.path)[0],
        )


def load_faces(path: Path) -> Faces:
    """Load the faces to report on; see train.data.evaluation_split. Raises DataError."""
    train, evaluation = evaluation_split(load(path, ("train", "public")), path)
    evaluation = evaluation.of_classes(EMOTIONS)
    if missing := [name for name, count in zip(EMOTIONS, evaluation.counts(), strict=True) if not count]:
        raise DataError(
            f"expected all seven emotions in the split '{evaluation.split}' of {path}, found no {', '.join(missing)}; "
            "python -m train.evaluate takes any classes"
        )
    return Faces(evaluation, seen_in(evaluation, train), path)


def measure_accuracy(
    models: Sequence[Candidate], faces: Faces, advance: Advance
) -> list[tuple[Scores, QuantizationChange | None]]:
    """Return each model's scores and, where its float32 file is among the models, how it differs from it.

    Float32 models must come first. `advance` is called for each face of each model.
    """
    labels = faces.evaluation.labels
    predictions: dict[str | None, Probabilities] = {}
    results = []
    for model in models:
        probabilities = predict_backend(model.backend, faces.evaluation.images, advance)
        predictions[model.info.file] = probabilities
        base = predictions.get(model.info.base)
        change = None if base is None else compare_predictions(labels, probabilities, base)
        results.append((score(labels, probabilities, faces.in_training), change))
    return results


def score(labels: npt.NDArray[np.int64], probabilities: Probabilities, in_training: Correct) -> Scores:
    """Return the scores of probabilities [n, 7] against labels [n]."""
    predicted = probabilities.argmax(1)
    unseen = (predicted == labels)[~in_training]
    extra = {
        "predictions": "".join(map(str, predicted)),
        "accuracy_not_in_training": float(unseen.mean()) if unseen.size else None,
    }
    return from_json(Scores, report(labels, probabilities) | extra)


def compare_predictions(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, base: Probabilities
) -> QuantizationChange:
    """Compare a quantized model's probabilities [n, 7] with those of its float32 file."""
    predicted = probabilities.argmax(1)
    base_predicted = base.argmax(1)
    correct = predicted == labels
    base_correct = base_predicted == labels
    return QuantizationChange(
        agreement_with_float=float((predicted == base_predicted).mean()),
        mcnemar_p=mcnemar(correct, base_correct),
        recall_change={
            emotion: _recall_change(correct[labels == i], base_correct[labels == i])
            for i, emotion in enumerate(EMOTIONS)
        },
    )


def _recall_change(correct: Correct, base_correct: Correct) -> RecallChange:
    return RecallChange(100 * float(correct.mean() - base_correct.mean()), mcnemar(correct, base_correct))

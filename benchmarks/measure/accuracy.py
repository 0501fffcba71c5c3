"""How true the models are, float against quantized, paired on the same faces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.backends.base import Backend
from edge.labels import EMOTIONS
from edge.values import Probabilities
from train.data import FaceSet, seen_in
from train.metrics import mcnemar, report
from train.predict import predict_backend
from train.progress import Advance


def judge_all(
    models: Sequence[dict[str, Any]],
    backends: Sequence[Backend],
    faces: FaceSet,
    learnt: FaceSet | None,
    advance: Advance,
) -> dict[str, Any]:
    """Add to each model how true it is; returns what is to be known about the faces.

    Float models come first, so that a base is there when it is asked for; `advance` is called for each face of each.
    """
    unseen = ~seen_in(faces, learnt) if learnt else np.ones(len(faces), dtype=bool)
    found: dict[str | None, Probabilities] = {}
    for model, backend in zip(models, backends, strict=True):
        probabilities = found[model["file"]] = predict_backend(backend, faces.images, advance)
        model |= judge(faces, probabilities, found.get(model["base"]))
        right = probabilities.argmax(1) == faces.labels
        model["accuracy_not_in_training"] = float(right[unseen].mean()) if unseen.any() else None
    digest = hashlib.sha256(faces.images.tobytes() + faces.labels.tobytes()).hexdigest()
    labels = "".join(map(str, faces.labels))
    seen = int((~unseen).sum())
    return {"split": faces.split, "faces": len(faces), "sha256": digest, "also_in_training": seen, "labels": labels}


def judge(faces: FaceSet, probabilities: Probabilities, base: Probabilities | None) -> dict[str, Any]:
    """The report of one model and, beside the float model's probabilities `base` [n, 7], what quantization changed.

    `predictions` has a digit a face, so that two reports can be compared face by face.
    """
    result = report(faces.labels, probabilities)
    mine = probabilities.argmax(1)
    result["predictions"] = "".join(map(str, mine))
    if base is not None:
        others = base.argmax(1)
        result["agreement_with_float"] = float((mine == others).mean())
        right, base_right = mine == faces.labels, others == faces.labels
        result["mcnemar_p"] = mcnemar(right, base_right)
        result["recall_change"] = {
            emotion: _change(right[faces.labels == i], base_right[faces.labels == i])
            for i, emotion in enumerate(EMOTIONS)
        }
    return result


def _change(right: npt.NDArray[np.bool_], base_right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Of the share that is right, in points, and how likely chance alone does as much; bool [n] each."""
    return {"points": 100 * float(right.mean() - base_right.mean()), "mcnemar_p": mcnemar(right, base_right)}

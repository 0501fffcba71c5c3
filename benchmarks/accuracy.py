"""How true the models are, float against quantized, paired on the same faces."""

from __future__ import annotations

from typing import Any

from edge.values import Probabilities
from train.data import FaceSet
from train.metrics import mcnemar, report


def judge(faces: FaceSet, probabilities: Probabilities, base: Probabilities | None) -> dict[str, Any]:
    """The report of one model and, beside the float model's probabilities `base` [n, 7], what quantization changed."""
    result = report(faces.labels, probabilities)
    if base is not None:
        mine, others = probabilities.argmax(1), base.argmax(1)
        result["agreement_with_float"] = float((mine == others).mean())
        result["mcnemar_p"] = mcnemar(mine == faces.labels, others == faces.labels)
    return result

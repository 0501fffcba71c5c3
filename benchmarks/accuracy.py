"""How true the models are, float against quantized, paired on the same faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.values import Probabilities
from train.data import FaceSet
from train.metrics import report


def judge(faces: FaceSet, probabilities: Probabilities, base: Probabilities | None) -> dict[str, Any]:
    """The report of one model and, beside the float model's probabilities `base` [n, 7], what quantization changed."""
    result = report(faces.labels, probabilities)
    if base is not None:
        mine, others = probabilities.argmax(1), base.argmax(1)
        result["agreement_with_float"] = float((mine == others).mean())
        result["mcnemar_p"] = mcnemar(mine == faces.labels, others == faces.labels)
    return result


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> float:
    """Exact two-sided p that two models which differ only by chance differ this much (McNemar 1947).

    Only the faces that one model has right and the other wrong count; bool [n] each.
    """
    from scipy.stats import binomtest  # scikit-learn, without which there is no accuracy, brings it

    gained, lost = int((right & ~other_right).sum()), int((~right & other_right).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0

"""Specify the start of a narrow network from a wide one."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from edge.errors import ModelError
from train.runs import BACKBONE
from train.zoo import build


def spread(narrow: keras.Model, wide: keras.Model) -> None:
    """Hide the filters of a narrow network among those of a wide one, in odd places, all others silent."""
    places: dict[int, np.ndarray] = {}  # channels of the wide network -> where those of the narrow one are
    rng = np.random.default_rng(0)
    for small, large in zip(narrow.get_layer(BACKBONE).layers, wide.get_layer(BACKBONE).layers, strict=True):
        values = large.get_weights()
        for own, into in zip(small.get_weights(), values, strict=True):
            is_norm = own.ndim == 1
            into[...] = 0
            where = []
            for count, total in zip(own.shape, into.shape, strict=True):
                if total not in places:
                    places[total] = np.sort(rng.permutation(total)[:count])
                where.append(places[total] if count < total else np.arange(total))
            into[np.ix_(*where)] = own
            if is_norm and np.array_equal(own, small.get_weights()[-1]):
                into[into == 0] = 1  # a variance
        large.set_weights(values)
    head = wide.layers[-1].get_weights()
    small_head = narrow.layers[-1].get_weights()
    rows = len(small_head[0])
    head[0][...] = 0
    head[0][places.get(len(head[0]), np.arange(rows))] = small_head[0]
    wide.layers[-1].set_weights([head[0], small_head[1]])


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["mobilenet_v2", "mobilenet"])
def test_the_strongest_filters_are_kept_and_answer_the_same(arch: str, tmp_path: Path) -> None:
    """Where a wide network has but the filters of a narrow one, nothing is lost."""
    narrow, wide = (build(arch, 32, "none", 0.0, width=width) for width in (0.5, 1.0))
    spread(narrow, wide)
    wide.save(tmp_path / "wide.keras")
    started = build(arch, 32, str(tmp_path / "wide.keras"), 0.0, width=0.5)
    faces = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    assert np.allclose(np.asarray(started(faces)), np.asarray(narrow(faces)), atol=1e-5)
    narrow.save(tmp_path / "narrow.keras")
    with pytest.raises(ModelError, match=r"has 16 filters, 32 are needed"):
        build(arch, 32, str(tmp_path / "narrow.keras"), 0.0, width=1.0)

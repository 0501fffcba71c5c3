"""Specify the built-in face: a runtime that computes something else than the export verified is named, not believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.backend import NAMED, SHIPPED, open_backend
from edge.backends.litert import LiteRT
from edge.errors import ModelError
from edge.model_file import read_model_file
from edge.self_check import TOLERANCE, face_input, self_check
from edge.values import Image, Probabilities


@pytest.mark.parametrize("path", [SHIPPED, *NAMED.values()], ids=lambda path: path.stem)
def test_this_runtime_computes_what_the_card_says(path: object) -> None:
    check = self_check(open_backend(path))
    assert check.passed
    assert check.difference < TOLERANCE / 4, str(check)
    assert "happy" in str(check)
    assert check.runtime in str(check)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (lambda right: np.roll(right, 1), "answers happy {fear:.1%}"),
        (lambda right: np.eye(7, dtype=np.float32)[4], "answers happy 0.0%"),
        (lambda right: np.full(7, 1 / 7, np.float32), "answers happy 14.3%"),
        (lambda right: right * np.float32("nan"), "answers happy nan%"),
    ],
    ids=["shifted", "one answer to everything", "no answer", "NaN"],
)
def test_a_runtime_that_computes_something_else_is_named(
    wrong: object, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = LiteRT.run
    fear = open_backend(SHIPPED).run(face_input(read_model_file(SHIPPED).card.input_size))[2]
    monkeypatch.setattr(LiteRT, "run", lambda self, pixels: wrong(run(self, pixels)))
    expected = max(read_model_file(SHIPPED).card.face_probabilities)
    with pytest.raises(ModelError, match=f"expected {expected:.1%}") as raised:
        open_backend(SHIPPED)
    assert found.format(fear=fear) in str(raised.value)
    assert "install another version of " in str(raised.value)


@pytest.mark.parametrize(("total", "passed"), [(1.0, True), (0.99, True), (0.5, False), (np.nan, False)])
def test_without_an_expected_answer_probabilities_add_up_to_1(total: float, passed: bool) -> None:
    """Files of earlier exports have no answer in their cards."""

    class Stub:
        name = "stub"
        card = replace(read_model_file(SHIPPED).card, face_probabilities=())

        def run(self, pixels: Image) -> Probabilities:
            return np.full(7, total / 7, np.float32)

    assert self_check(Stub()).passed is passed


@pytest.mark.parametrize("size", [32, 48, 80, 96])
def test_the_face_fits_every_network(size: int) -> None:
    pixels = face_input(size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.std() > 30
    assert (pixels == pixels[..., :1]).all()

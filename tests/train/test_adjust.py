"""Test post-hoc logit adjustment."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from edge.labels import EMOTIONS
from train.adjust import main, parse_offsets, prior_offsets, shift_logits
from train.data import load
from train.predict import predict_keras
from train.runs import load_model

NEUTRAL = EMOTIONS.index("neutral")


def test_offsets_by_priors_make_rare_emotions_likelier() -> None:
    priors = np.array([0.1, 0.01, 0.1, 0.3, 0.3, 0.1, 0.09])
    np.testing.assert_allclose(prior_offsets(priors, 0.0), 0)
    offsets = prior_offsets(priors, 1.0)
    shifted = shift_logits(priors[None].astype(np.float32), offsets)
    np.testing.assert_allclose(shifted, np.full((1, 7), 1 / 7), atol=1e-6)
    assert offsets.mean() == pytest.approx(0)


def test_offsets_are_named() -> None:
    assert parse_offsets("neutral=-0.5, fear=0.3").tolist() == [0, 0, 0.3, 0, -0.5, 0, 0]


@pytest.mark.parametrize("text", ["", "neutral", "bored=1", "neutral=x", "neutral=inf"])
def test_other_offsets_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="NUMBER"):
        parse_offsets(text)


def test_the_written_model_predicts_what_the_table_says(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_run / "model.keras"
    out = tmp_path / "adjusted.keras"
    common = ["--model", str(model), "--data", str(drawn_data)]
    assert main([*common, "--offsets", "neutral=-2", "--temperature", "0.5", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "21 faces of held-out, against labels" in printed
    assert printed.count("tau ") == 8
    assert "chosen" in printed
    images = load(drawn_data)["public"].images
    before = predict_keras(load_model(model), images)
    after = predict_keras(load_model(out), images)
    np.testing.assert_allclose(after, shift_logits(before, parse_offsets("neutral=-2"), 0.5), atol=1e-5)
    assert after[:, NEUTRAL].mean() < before[:, NEUTRAL].mean()
    assert [w.shape for w in load_model(out).get_weights()] == [w.shape for w in load_model(model).get_weights()]


def test_a_model_is_written_only_with_an_amount(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for extra in (["--tau", "0.5"], ["-o", "x.keras"], ["--tau", "1", "--offsets", "fear=1", "-o", "x.keras"]):
        with pytest.raises(SystemExit):
            main(["--model", str(tiny_run / "model.keras"), *extra])
    model = str(tiny_run / "model.keras")
    assert main(["--model", model, "--tau", "1", "-o", model]) == 2
    assert "expected -o with a .keras file other than the models" in capsys.readouterr().err

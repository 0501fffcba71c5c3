"""Every export is proven against its Keras model before it is there; the model is the tiny run's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.card import ModelCard
from edge.classifier import open_backend
from edge.labels import EMOTIONS
from export import calibrate, correct, onnx, tflite, verify
from train.data import FaceSet, load
from train.evaluate import keras_inputs, predict, predict_keras
from train.runs import load_model
from train.zoo import build


def test_float_exports_equal_the_keras_model(exported: dict[str, Path], tiny_run: Path, drawn_data: Path) -> None:
    faces = load(drawn_data)["public"]
    reference = predict(tiny_run / "model.keras", faces.images)
    for name in ("emotion_float32.tflite", "emotion_float32.onnx"):
        assert np.abs(predict(exported[name], faces.images) - reference).max() < 1e-4


@pytest.mark.parametrize("name", ["emotion_float32.tflite", "emotion_int8.tflite", "emotion_float32.onnx"])
def test_the_file_says_all_about_itself(exported: dict[str, Path], name: str) -> None:
    card = open_backend(exported[name]).card
    assert card.labels == EMOTIONS
    assert (card.input_size, card.face_size, card.architecture) == (32, 48, "cnn")
    assert card.precision in name
    assert card.validation["faces"] == 28
    assert len(card.keras_sha256) == 64
    if card.precision == "int8":
        assert card.calibration is not None
        assert card.calibration["per_class"] == dict.fromkeys(EMOTIONS, 12)


def test_int8_takes_pixels_as_they_are(exported: dict[str, Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(exported["emotion_int8.tflite"]))
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == taken["dtype"] == np.uint8
    assert given["quantization"] == (1.0, 0)


def test_the_same_export_twice_is_the_same_file(
    exported: dict[str, Path], tiny_run: Path, drawn_data: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.tflite"
    common = ["--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "--calibration-faces", "84"]
    assert tflite.main(["--int8", *common, "-o", str(again)]) == 0
    assert again.read_bytes() == exported["emotion_int8.tflite"].read_bytes()


def test_a_file_that_lies_is_not_written(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gate: a conversion that shifts the labels by one fails with the figures; an older file stays as it is."""
    out = tmp_path / "emotion.tflite"
    out.write_bytes(b"an older file")
    honest = tflite.FORMAT.convert

    def lying(model: keras.Model, precision: str, calibration: FaceSet) -> bytes:
        broken = keras.models.clone_model(model)
        broken.set_weights([*model.get_weights()[:-2], *(np.roll(w, 1, -1) for w in model.get_weights()[-2:])])
        return honest(broken, precision, calibration)

    monkeypatch.setattr(tflite, "FORMAT", replace(tflite.FORMAT, convert=lying))
    arguments = ["--float32", "--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "-o", str(out)]
    assert tflite.main([*arguments, "--calibration-faces", "84"]) == 2
    stderr = capfd.readouterr().err
    assert "does not hold" in stderr
    assert "agreement" in stderr
    assert out.read_bytes() == b"an older file"
    assert [file.name for file in tmp_path.iterdir()] == ["emotion.tflite"]


def test_verify_judges_files_that_are_there(
    exported: dict[str, Path], tiny_run: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [str(exported["emotion_float32.tflite"]), str(exported["emotion_float32.onnx"])]
    assert verify.main([*files, "--against", str(tiny_run / "model.keras"), "--data", str(drawn_data)]) == 0
    assert capfd.readouterr().out.count("agreement 100.00%") == 2


def test_mobilenet_v2_keeps_its_probabilities_in_every_form(drawn_data: Path, tmp_path: Path) -> None:
    """The shipped architecture, with random weights and statistics: each form against Keras, without a run."""
    model = build("mobilenet_v2", 96, "none", dropout=0.3)
    faces = load(drawn_data)["train"].take(np.arange(0, 224, 8))
    reference = predict_keras(model, faces.images)
    for module, precision, tolerance in ((tflite, "float32", 1e-4), (onnx, "float32", 1e-4), (tflite, "int8", 0.05)):
        path = tmp_path / f"{precision}{module.FORMAT.suffix}"
        card = ModelCard(EMOTIONS, input_size=96, face_size=48, precision=precision, architecture=model.name)
        module.FORMAT.write(path, module.FORMAT.convert(model, precision, faces), card)
        assert np.abs(predict(path, faces.images) - reference).max() < tolerance
    assert (tmp_path / "float32.tflite").stat().st_size < 9.0e6
    assert (tmp_path / "int8.tflite").stat().st_size < 2.8e6


def test_bias_correction_gives_each_channel_its_mean_back(tiny_run: Path, drawn_data: Path) -> None:
    """With kernels rounded as int8 rounds them, the mean of each corrected channel is that of the float model."""
    model, faces = load_model(tiny_run / "model.keras"), calibrate.sample(load(drawn_data)["train"], 84)
    pairs = correct.convolutions(model.get_layer("backbone"))
    copies = correct.convolutions(correct.corrected(model, faces).get_layer("backbone"))
    assert len(pairs) == len(copies) == 4
    probe = keras.Model(model.get_layer("backbone").input, [conv.input for conv, _ in pairs])
    found = probe(model.get_layer("scale")(keras_inputs(faces.images, 32)), training=False)
    for (conv, norm), (_, corrected), x in zip(pairs, copies, found, strict=True):
        before = np.asarray(norm(conv(x))).mean(axis=(0, 1, 2))
        conv.kernel.assign(correct.rounded(conv))
        rounded, mended = (np.asarray(each(conv(x))).mean(axis=(0, 1, 2)) for each in (norm, corrected))
        assert np.abs(rounded - before).max() > 1e-4
        np.testing.assert_allclose(mended, before, atol=1e-5)

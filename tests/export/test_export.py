"""Every export is proven against its Keras model before it is there; the model is the tiny run's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.card import ModelCard
from edge.errors import ParityError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.preprocess import to_input
from export import bias_correction, calibrate, exporter, onnx, tflite, verify
from export.calibrate import Calibration
from train.data import FaceSet, load
from train.predict import keras_inputs, predict, predict_keras
from train.runs import load_model, newest_model, save_model
from train.zoo import ARCHITECTURES, build

NAMES = [f"emotion_{precision}.tflite" for precision in ("float32", "float16", "dynamic", "int8")]
NAMES += ["emotion_float32.onnx", "emotion_int8.onnx"]


def test_float_exports_equal_the_keras_model(exported: dict[str, Path], tiny_run: Path, drawn_data: Path) -> None:
    faces = load(drawn_data)["public"]
    reference = predict(tiny_run / "model.keras", faces.images)
    for name in ("emotion_float32.tflite", "emotion_float32.onnx"):
        assert np.abs(predict(exported[name], faces.images) - reference).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_all_about_itself(exported: dict[str, Path], name: str) -> None:
    card = open_backend(exported[name]).card
    assert card.labels == EMOTIONS
    assert (card.input_size, card.face_size, card.architecture) == (32, 48, "cnn")
    assert card.precision in name
    assert card.validation["faces"] == 28
    assert len(card.keras_sha256) == 64
    assert card.validation["agreement"] > 0.9
    if card.precision not in ("int8", "dynamic"):
        assert card.calibration is None
    else:
        assert card.calibration is not None
        assert card.calibration["per_class"] == dict.fromkeys(EMOTIONS, 12)


def test_int8_takes_pixels_as_they_are(exported: dict[str, Path]) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(exported["emotion_int8.tflite"]))
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == taken["dtype"] == np.uint8
    assert given["quantization"] == (1.0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_export_twice_is_the_same_file(
    exported: dict[str, Path], tiny_run: Path, drawn_data: Path, tmp_path: Path, name: str
) -> None:
    again = tmp_path / name
    module = tflite if again.suffix == ".tflite" else onnx
    precision = again.stem.removeprefix("emotion_")
    common = ["--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "-o", str(again)]
    assert module.main([f"--{precision}", *common]) == 0
    assert again.read_bytes() == exported[name].read_bytes()


@pytest.mark.parametrize("module", [tflite, onnx], ids=["tflite", "onnx"])
def test_the_shipped_model_comes_again_without_a_data_set(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a folder with neither runs nor data: the shipped file byte for byte, or with these tools one as true."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / f"again{module.FORMAT.suffix}"
    assert module.main(["--int8", "-o", str(out)]) == 0
    assert "no data set at hand" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == [out]
    card, shipped = open_backend(out).card, open_backend(SHIPPED).card
    assert (card.keras_sha256, card.calibration) == (shipped.keras_sha256, shipped.calibration)
    if module is tflite and card.versions == shipped.versions:
        assert out.read_bytes() == SHIPPED.read_bytes()
        assert card.validation["accuracy"] == shipped.validation["accuracy"]
    faces = verify.validation_faces(None)
    reference = predict(newest_model(), faces.images)
    assert verify.compare(faces, reference, predict(out, faces.images)).holds(verify.LIMITS["int8"])
    if module is tflite and card.versions != shipped.versions:
        pytest.skip(f"made by {shipped.versions}, here are {card.versions}: bytes not compared, numbers were")


def test_another_model_does_not_take_the_calibration(
    exported: dict[str, Path], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved ranges belong to one .keras file; without a data set, another is refused int8 and nothing is written."""
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "model.keras"
    shutil.copy(tiny_run / "model.tflite.npz", tmp_path)
    save_model(build("cnn", 32, "none", dropout=0.3), model)
    assert tflite.main(["--int8", "--model", str(model)]) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.keras", "model.tflite.npz"]


def test_opencv_reads_the_onnx_files(exported: dict[str, Path], drawn_data: Path) -> None:
    faces = load(drawn_data)["public"]
    for name in ("emotion_float32.onnx", "emotion_int8.onnx"):
        network = cv2.dnn.readNetFromONNX(str(exported[name]))
        found = []
        for image in faces.images:
            network.setInput(to_input(image, 32)[None])
            found.append(network.forward()[0].copy())
        assert np.abs(np.array(found) - predict(exported[name], faces.images)).max() < 0.02


def test_interrupted_nothing_is_left(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, content: bytes, card: ModelCard) -> None:
        path.write_bytes(content[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(tflite, "FORMAT", replace(tflite.FORMAT, write=interrupted))
    arguments = ["--float32", "--model", str(tiny_run / "model.keras"), "--data", str(drawn_data)]
    assert tflite.main([*arguments, "-o", str(tmp_path / "out.tflite")]) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_lies_is_not_written(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The gate: a conversion that shifts the labels by one fails with the figures; an older file stays as it is."""
    out = tmp_path / "emotion.tflite"
    out.write_bytes(b"an older file")
    honest = tflite.FORMAT.convert

    def lying(model: keras.Model, precision: str, calibration: Calibration | None) -> bytes:
        broken = keras.models.clone_model(model)
        broken.set_weights([*model.get_weights()[:-2], *(np.roll(w, 1, -1) for w in model.get_weights()[-2:])])
        return honest(broken, precision, calibration)

    monkeypatch.setattr(tflite, "FORMAT", replace(tflite.FORMAT, convert=lying))
    arguments = ["--float32", "--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "-o", str(out)]
    assert tflite.main(arguments) == 2
    stderr = capfd.readouterr().err
    assert "does not hold" in stderr
    assert "agreement" in stderr
    assert out.read_bytes() == b"an older file"
    assert [file.name for file in tmp_path.iterdir()] == ["emotion.tflite"]


@pytest.mark.parametrize(
    ("agreement", "accuracy", "p", "holds", "why"),
    [
        (0.98, 0.700, 1.0, True, "an honest file"),
        (0.98, 0.690, 0.2, True, "a loss that may be chance"),
        (0.98, 0.690, 0.01, False, "a loss that is none of chance"),
        (0.95, 0.700, 1.0, False, "agreement clearly below the limit"),
        (0.14, 0.140, 0.0, False, "collapsed"),
    ],
)
def test_the_gate(agreement: float, accuracy: float, p: float, holds: bool, why: str) -> None:
    parity = verify.Parity("public", 3579, agreement, 0.2, 0.01, {}, 0.7, accuracy, p)
    assert parity.holds(verify.LIMITS["int8"]) is holds, why
    if not holds:
        with pytest.raises(ParityError, match=f"agreement {agreement:.2%}"):
            parity.check("int8", Path("some.tflite"))


def test_parity_names_the_flips() -> None:
    faces = FaceSet(np.zeros((4, 48, 48), dtype=np.uint8), np.array([0, 1, 2, 3]), ("",) * 4, "public")
    before, after = np.eye(7, dtype=np.float32)[[0, 1, 2, 2]], np.eye(7, dtype=np.float32)[[0, 1, 3, 3]]
    parity = verify.compare(faces, before, after)
    assert parity.flipped() == "fear to happy 2"
    assert (parity.agreement, parity.keras_accuracy, parity.accuracy, parity.mcnemar_p) == (0.5, 0.75, 0.75, 1.0)


def test_verify_judges_files_that_are_there(
    exported: dict[str, Path], tiny_run: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [str(exported["emotion_float32.tflite"]), str(exported["emotion_float32.onnx"])]
    assert verify.main([*files, "--against", str(tiny_run / "model.keras"), "--data", str(drawn_data)]) == 0
    assert capfd.readouterr().out.count("agreement 100.00%") == 2


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_network_of_the_zoo_passes_the_gate_in_every_form(arch: str, drawn_data: Path, tmp_path: Path) -> None:
    model, faces = _taught(arch, load(drawn_data)["train"].take(np.arange(0, 224, 4))), load(drawn_data)["train"]
    faces = faces.take(np.arange(0, 224, 4))
    reference = predict_keras(model, faces.images)
    found = bias_correction.shifts(model, faces)
    for module in (tflite, onnx):
        ranges = module.FORMAT.ranges(bias_correction.corrected(model, found), faces)
        calibration = calibrate.Calibration("", calibrate.describe(faces), found, ranges)
        for precision in module.FORMAT.precisions:
            path = tmp_path / f"{precision}{module.FORMAT.suffix}"
            card = ModelCard(EMOTIONS, input_size=48, face_size=48, precision=precision, architecture=model.name)
            content = module.convert(model, precision, calibration if precision in exporter.ROUNDED else None)
            module.FORMAT.write(path, content, card)
            verify.compare(faces, reference, predict(path, faces.images)).check(precision, path)
    if arch == "mobilenet_v2":
        sizes = {"float32.tflite": 9.0e6, "float16.tflite": 4.6e6, "int8.tflite": 2.8e6, "float32.onnx": 9.0e6}
        assert all((tmp_path / name).stat().st_size < most for name, most in sizes.items())


def _taught(arch: str, faces: FaceSet) -> keras.Model:
    """A network that learnt these faces in a few steps: sure of itself, as a trained one is."""
    keras.utils.set_random_seed(0)
    model = build(arch, 48, "none", dropout=0.0)
    pixels = keras_inputs(faces.images, 48)
    model.compile(keras.optimizers.Adam(1e-3 if arch != "vgg16" else 1e-4), "sparse_categorical_crossentropy")
    model.fit(pixels, faces.labels, batch_size=28, epochs=10, verbose=0)
    for _ in range(40):  # until the batch norms' statistics are those of the weights
        model(pixels, training=True)
    return model


def test_bias_correction_gives_each_channel_its_mean_back(tiny_run: Path, drawn_data: Path) -> None:
    """With kernels rounded as int8 rounds them, the mean of each corrected channel is that of the float model."""
    model, faces = load_model(tiny_run / "model.keras"), calibrate.sample(load(drawn_data)["train"], 84)
    mended = bias_correction.corrected(model, bias_correction.shifts(model, faces))
    backbone, copy = model.get_layer("backbone"), mended.get_layer("backbone")
    convs = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D)]
    probe = keras.Model(backbone.input, [conv.input for conv in convs])
    found = probe(model.get_layer("scale")(keras_inputs(faces.images, 32)), training=False)
    assert len(convs) == 4
    for conv, x in zip(convs, found, strict=True):
        norm = backbone.layers[backbone.layers.index(conv) + 1]
        before = np.asarray(norm(conv(x))).mean(axis=(0, 1, 2))
        conv.kernel.assign(bias_correction.rounded(conv))
        each = (norm(conv(x)), copy.get_layer(norm.name)(conv(x)))
        rounded, corrected = (np.asarray(values).mean(axis=(0, 1, 2)) for values in each)
        assert np.abs(rounded - before).max() > 1e-4
        np.testing.assert_allclose(corrected, before, atol=1e-5)

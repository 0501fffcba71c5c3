"""Check that every exported file is verified against its Keras model before it is written, and is reproducible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.card import ModelCard
from edge.errors import ParityError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.preprocess import to_input
from export import bias_correction, calibrate, exporter, onnx, summary, tflite, verify
from export.calibrate import Calibration
from export.folding import folded_model
from train.data import FaceSet, load
from train.predict import keras_inputs, predict, predict_keras
from train.recipe import Recipe
from train.runs import BACKBONE, load_model, newest_model, save_model
from train.zoo import ARCHITECTURES, build

pytestmark = pytest.mark.slow

NAMES = [f"emotion_{precision}.tflite" for precision in ("float32", "float16", "dynamic", "int8")]
NAMES += ["emotion_float32.onnx", "emotion_int8.onnx"]


def test_float_exports_equal_the_keras_model(exported: dict[str, Path], tiny_run: Path, drawn_data: Path) -> None:
    faces = load(drawn_data)["public"]
    reference = predict(tiny_run / "model.keras", faces.images)
    for name in ("emotion_float32.tflite", "emotion_float32.onnx"):
        assert np.abs(predict(exported[name], faces.images) - reference).max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_card_describes_the_file(exported: dict[str, Path], name: str) -> None:
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
    (pixels,) = interpreter.get_input_details()
    (probabilities,) = interpreter.get_output_details()
    assert pixels["dtype"] == probabilities["dtype"] == np.uint8
    assert pixels["quantization"] == (1.0, 0)


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
def test_the_shipped_model_is_reproduced_without_a_data_set(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Export in a folder without runs and data: the shipped file byte for byte, or close to it with other tools."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / f"again{module.FORMAT.suffix}"
    assert module.main(["--int8", "-o", str(out)]) == 0
    assert "no data set at hand" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == [out]
    card = open_backend(out).card
    shipped = open_backend(SHIPPED).card
    assert (card.keras_sha256, card.calibration) == (shipped.keras_sha256, shipped.calibration)
    if module is tflite and card.versions == shipped.versions:
        assert out.read_bytes() == SHIPPED.read_bytes()
        assert card.validation["accuracy"] == shipped.validation["accuracy"]
    faces = verify.validation_faces(None)
    reference = predict(newest_model(), faces.images)
    assert verify.compare(faces, reference, predict(out, faces.images)).meets(verify.LIMITS["int8"])
    if module is tflite and card.versions != shipped.versions:
        pytest.skip(f"shipped with {shipped.versions}, installed are {card.versions}: only the numbers were compared")


def test_the_shipped_model_is_reproduced_with_other_processor_code(tmp_path: Path) -> None:
    """Export with numpy's baseline kernels and without oneDNN, as on a processor that lacks what this one has."""
    root = Path(tflite.__file__).parents[1]
    out = tmp_path / "again.tflite"
    extensions = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    disabled = {"NPY_DISABLE_CPU_FEATURES": " ".join(extensions), "TF_ENABLE_ONEDNN_OPTS": "0"}
    environment = {**os.environ, **disabled, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "export.tflite", "--int8", "-o", str(out)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=900)
    if open_backend(out).card.versions != open_backend(SHIPPED).card.versions:
        pytest.skip("shipped with other tool versions")
    assert out.read_bytes() == SHIPPED.read_bytes()


def test_another_model_does_not_take_the_calibration(
    exported: dict[str, Path], tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration belongs to one .keras file: without a data set, int8 of another fails and nothing is written."""
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
        outputs = []
        for image in faces.images:
            network.setInput(to_input(image, 32)[None])
            outputs.append(network.forward()[0].copy())
        assert np.abs(np.array(outputs) - predict(exported[name], faces.images)).max() < 0.02


def test_an_interrupted_export_leaves_no_file(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, content: bytes, card: ModelCard) -> None:
        path.write_bytes(content[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(tflite, "FORMAT", replace(tflite.FORMAT, write=interrupted))
    arguments = ["--float32", "--model", str(tiny_run / "model.keras"), "--data", str(drawn_data)]
    assert tflite.main([*arguments, "-o", str(tmp_path / "out.tflite")]) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_conversion_is_not_written(
    tiny_run: Path, drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A conversion that shifts the labels by one fails and reports the figures; an older file stays as it is."""
    out = tmp_path / "emotion.tflite"
    out.write_bytes(b"an older file")
    convert = tflite.FORMAT.convert

    def shifted(model: keras.Model, precision: str, calibration: Calibration | None) -> bytes:
        broken = keras.models.clone_model(model)
        broken.set_weights([*model.get_weights()[:-2], *(np.roll(w, 1, -1) for w in model.get_weights()[-2:])])
        return convert(broken, precision, calibration)

    monkeypatch.setattr(tflite, "FORMAT", replace(tflite.FORMAT, convert=shifted))
    arguments = ["--float32", "--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "-o", str(out)]
    assert tflite.main(arguments) == 2
    stderr = capfd.readouterr().err
    assert "does not match its Keras model" in stderr
    assert "agreement" in stderr
    assert stderr.endswith("nothing was written\n")
    assert out.read_bytes() == b"an older file"
    assert [file.name for file in tmp_path.iterdir()] == ["emotion.tflite"]


@pytest.mark.parametrize(
    ("agreement", "accuracy", "p", "meets", "reason"),
    [
        (0.98, 0.700, 1.0, True, "a good file"),
        (0.98, 0.690, 0.2, True, "a loss that may be chance"),
        (0.98, 0.690, 0.01, False, "a significant loss"),
        (0.95, 0.700, 1.0, False, "agreement clearly below the limit"),
        (0.14, 0.140, 0.0, False, "collapsed"),
    ],
)
def test_the_limits(agreement: float, accuracy: float, p: float, meets: bool, reason: str) -> None:
    parity = verify.Parity("public", 3579, agreement, 0.2, 0.01, {}, 0.7, accuracy, p)
    assert parity.meets(verify.LIMITS["int8"]) is meets, reason
    if not meets:
        with pytest.raises(ParityError, match=f"agreement {agreement:.2%}") as raised:
            parity.check("int8", Path("some.tflite"))
        assert "written" not in str(raised.value)


def test_parity_names_the_flips() -> None:
    faces = FaceSet(np.zeros((4, 48, 48), dtype=np.uint8), np.array([0, 1, 2, 3]), ("",) * 4, "public")
    before, after = np.eye(7, dtype=np.float32)[[0, 1, 2, 2]], np.eye(7, dtype=np.float32)[[0, 1, 3, 3]]
    parity = verify.compare(faces, before, after)
    assert parity.flipped() == "fear to happy 2"
    assert (parity.agreement, parity.keras_accuracy, parity.accuracy, parity.mcnemar_p) == (0.5, 0.75, 0.75, 1.0)


def test_verify_reports_the_parity_of_files(
    exported: dict[str, Path], tiny_run: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [str(exported["emotion_float32.tflite"]), str(exported["emotion_float32.onnx"])]
    assert verify.main([*files, "--against", str(tiny_run / "model.keras"), "--data", str(drawn_data)]) == 0
    assert capfd.readouterr().out.count("agreement 100.00%") == 2


def test_a_graph_keeps_the_figures_of_its_calibration() -> None:
    """On another machine the last digits of the figures differ; the file must not."""
    parity = verify.Parity("public", 28, 1.0, 0.25, 0.125, {}, 0.7, 0.7, 1.0)
    calibration = Calibration("", {}, {}, {})
    assert exporter.recorded_parity(calibration, "int8", parity, "graph") == parity
    elsewhere = replace(parity, mean_difference=0.1250001)
    portrait = verify.Parity(verify.PORTRAIT, 75, 1.0, 0.2, 0.1, {})
    for measured in (elsewhere, portrait):
        assert exporter.recorded_parity(calibration, "int8", measured, "graph") == parity
    assert exporter.recorded_parity(calibration, "int8", portrait, "another graph") == portrait
    others = replace(elsewhere, faces=35)
    assert exporter.recorded_parity(calibration, "int8", others, "graph") == others


def test_float32_is_the_base_of_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parity = verify.Parity("public", 28, 1.0, 0.25, 0.125, {}, 0.7, 0.7, 1.0)
    files = []
    for precision in ("float32", "int8"):
        path = tmp_path / f"{precision}.tflite"
        path.write_bytes(b"")
        files.append(summary.ExportedFile(path, precision, parity))
    summary.report(files, times=[2.0, 1.0], base=2.0, split="public")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("2.000  -")
    assert lines[2].endswith("1.000  2.00 times as fast")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_network_of_the_zoo_meets_the_limits(arch: str, drawn_data: Path, tmp_path: Path) -> None:
    """Export the default network in every form, the others smaller and in the most delicate one, to save minutes."""
    default = arch == "mobilenet_v2"
    size = 48 if default else 32
    faces = load(drawn_data)["train"].take(np.arange(0, 224, 8))
    model = _trained(arch, size, faces)
    folded = folded_model(model)
    reference = predict_keras(model, faces.images)
    for module in (tflite, onnx) if default else (tflite,):
        errors = bias_correction.mean_errors(folded, faces, module.FORMAT.kernel_limit)
        ranges = module.FORMAT.measure_ranges(bias_correction.corrected_model(folded, errors), faces)
        calibration = Calibration("", calibrate.describe(faces), errors, ranges)
        for precision in module.FORMAT.precisions if default else ("float32", "int8"):
            path = tmp_path / f"{precision}{module.FORMAT.suffix}"
            card = ModelCard(EMOTIONS, input_size=size, face_size=48, precision=precision, architecture=model.name)
            content = module.convert(folded, precision, calibration if precision in exporter.QUANTIZED else None)
            module.FORMAT.write(path, content, card)
            verify.compare(faces, reference, predict(path, faces.images)).check(precision, path)
    assert computed_constants(tflite_constants(tmp_path / "float32.tflite"), folded) == []
    if default:
        assert computed_constants(onnx_constants(tmp_path / "float32.onnx"), folded) == []
        sizes = {"float32.tflite": 9.0e6, "float16.tflite": 4.6e6, "int8.tflite": 2.8e6, "float32.onnx": 9.0e6}
        assert all((tmp_path / name).stat().st_size < limit for name, limit in sizes.items())


def computed_constants(constants: list[np.ndarray], model: keras.Model) -> list[tuple[int, ...]]:
    """Return the shapes of the constants whose values, in whatever order, are not those of one of the weights.

    What a converter computes depends on the processor in the last bit (folding a batch norm takes 1 / sqrt(x)), and so
    do the integers that it is rounded to. Constants of a few numbers, as those of the scaling, are literals.
    """
    weights = {np.sort(np.asarray(weight), axis=None).tobytes() for weight in model.get_weights()}
    return [
        constant.shape
        for constant in constants
        if constant.size > 3 and np.sort(constant, axis=None).tobytes() not in weights
    ]


def tflite_constants(path: Path) -> list[np.ndarray]:
    """Return the float32 constants of a .tflite file."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(path.read_bytes())
    buffers = [model.buffers[tensor.buffer].data for tensor in model.subgraphs[0].tensors if _is_float(tensor, schema)]
    return [np.frombuffer(bytes(data), np.float32) for data in buffers if data is not None]


def _is_float(tensor: Any, schema: ModuleType) -> bool:
    return bool(tensor.type == schema.TensorType.FLOAT32)


def onnx_constants(path: Path) -> list[np.ndarray]:
    """Return the float32 constants of an .onnx file."""
    from onnx import load_model, numpy_helper

    arrays = [numpy_helper.to_array(item) for item in load_model(path).graph.initializer]
    return [array for array in arrays if array.dtype == np.float32]


def _trained(arch: str, size: int, faces: FaceSet) -> keras.Model:
    """Return a network fitted to these faces in a few steps: as confident as a trained one."""
    keras.utils.set_random_seed(0)
    model = build(arch, size, "none", dropout=0.0)
    pixels = keras_inputs(faces.images, size)
    model.compile(keras.optimizers.Adam(1e-3 if arch != "vgg16" else 1e-4), "sparse_categorical_crossentropy")
    model.fit(pixels, faces.labels, batch_size=28, epochs=10, verbose=0)
    for layer in model.get_layer(BACKBONE).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # one look at the faces, and its moving statistics are those of the weights
    model(pixels, training=True)
    return model


def test_faces_without_black_and_white_calibrate_too(tiny_run: Path, drawn_data: Path) -> None:
    """A few faces of one webcam seldom reach 0 and 255; int8 takes pixels as they are all the same."""
    faces = calibrate.sample(load(drawn_data)["train"], 84)
    grey = replace(faces, images=(20 + 0.7 * np.asarray(faces.images[:])).astype(np.uint8))
    model = folded_model(load_model(tiny_run / "model.keras"))
    ranges = tflite.measure_ranges(model, grey)
    assert next(iter(ranges.values())) == (0, 255)
    content = tflite.convert(model, "int8", Calibration("", {}, {}, ranges))
    right = predict_keras(model, faces.images[:20])
    answers = [tflite.reference(content, to_input(image, 32)) for image in faces.images[:20]]
    assert np.abs(np.stack(answers) - right).mean() < 0.05


def test_a_model_that_knows_the_held_out_faces_gets_no_accuracy_by_them(drawn_data: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_data / "train", tmp_path / "train")
    assert verify.validation_faces(tmp_path, Recipe(data="")).split == "held-out"
    for validation in ("public", "folds", "mixed"):
        assert verify.validation_faces(tmp_path, Recipe(data="", validation=validation)).split == "train"
        assert verify.validation_faces(drawn_data, Recipe(data="", validation=validation)).split == "public"


def test_bias_correction_restores_the_mean_of_each_channel(tiny_run: Path, drawn_data: Path) -> None:
    """With rounded kernels, the mean of each corrected channel is that of the float model."""
    model = folded_model(load_model(tiny_run / "model.keras"))
    faces = calibrate.sample(load(drawn_data)["train"], 84)
    corrected = bias_correction.corrected_model(model, bias_correction.mean_errors(model, faces, kernel_limit=127))
    backbone = model.get_layer("backbone")
    convs = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D)]
    probe = keras.Model(backbone.input, [conv.input for conv in convs])
    inputs = probe(model.get_layer("scale")(keras_inputs(faces.images, 32)), training=False)
    assert len(convs) == 4
    for conv, x in zip(convs, inputs, strict=True):
        expected = np.asarray(conv(x)).mean(axis=(0, 1, 2))
        conv.kernel.assign(bias_correction.rounded_kernel(conv, kernel_limit=127))
        rounded = np.asarray(conv(x)).mean(axis=(0, 1, 2))
        conv.bias.assign(corrected.get_layer("backbone").get_layer(conv.name).bias)
        restored = np.asarray(conv(x)).mean(axis=(0, 1, 2))
        assert np.abs(rounded - expected).max() > 1e-4
        np.testing.assert_allclose(restored, expected, atol=1e-5)

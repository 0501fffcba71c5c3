"""Specify `edge-emotion adopt`: files of other tools get a card, run as they are meant to, or are refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.__main__ import main
from edge.adopt import parse_labels
from edge.backend import SHIPPED, open_backend
from edge.backends.tensors import SCALES, Tensors, kind_of_outputs
from edge.card import CHOICES, LOGITS, ModelCard
from edge.labels import EMOTIONS
from edge.model_file import read_model_file
from edge.self_check import face_input
from tests.conftest import ROOT, shared
from train.predict import by_class, check_labels

SIZE = 8
CSV_ORDER = "angry,disgust,fear,happiness,sadness,surprise,neutral"


def make_onnx(path: Path, shape: tuple[int | str, ...], kind: str = "FLOAT", end: str = "Softmax") -> np.ndarray:
    """Write a linear classifier of four labels, and return its weights [values, 4]."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    count = int(np.prod([side if isinstance(side, int) and side > 0 else SIZE for side in shape[1:]]))
    weights = np.random.default_rng(0).normal(0, 1 / count, (count, 4)).astype(np.float32)
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=types.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node(end, ["logits"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("pixels", getattr(types, kind), shape)],
        [helper.make_tensor_value_info("answer", types.FLOAT, [shape[0], 4])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return weights


@pytest.mark.parametrize("outputs", [LOGITS, "probabilities", "scores"])
def test_outputs_that_are_not_finite_say_nothing(outputs: str) -> None:
    tensors = Tensors(ModelCard(EMOTIONS, SIZE, 48, "float32", "x", outputs=outputs))
    for value in (np.nan, np.inf, -np.inf):
        if value == -np.inf and outputs == LOGITS:  # as of the logarithm of a softmax
            value = np.nan
        answer = tensors.probabilities(np.array([[0.5, value, 0, 0, 0, 0, 0]], dtype=np.float32))
        np.testing.assert_allclose(answer, 1 / 7, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "scale", "kind", "end"),
    [
        ((1, SIZE, SIZE, 1), "0..1", "FLOAT", "Softmax"),
        ((1, SIZE, SIZE, 3), "-1..1", "FLOAT", "Identity"),
        ((1, SIZE, SIZE, 3), "0..255", "UINT8", "Softmax"),
        (("batch", 3, SIZE, SIZE), "imagenet", "FLOAT", "Identity"),
        ((1, 1, "height", "width"), "0..255", "FLOAT", "Sigmoid"),
        ((1, SIZE, SIZE, 3), "0..1", "FLOAT16", "Softmax"),
    ],
    ids=str,
)
def test_pixels_enter_as_the_model_expects_them(
    tmp_path: Path, shape: tuple[int | str, ...], scale: str, kind: str, end: str
) -> None:
    """Compare with the same network in numpy."""
    weights = make_onnx(tmp_path / "a.onnx", shape, kind, end)
    out = tmp_path / "out.onnx"
    arguments = ["--labels", "anger,Fear,joy,contempt", "--scale", scale, "--size", str(SIZE), "-o", str(out)]
    assert main(["adopt", str(tmp_path / "a.onnx"), *arguments]) == 0
    backend = open_backend(out)
    assert backend.card.labels == ("angry", "fear", "happy", "contempt")
    channels = next(side for side in (shape[3], shape[1]) if side in (1, 3))
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    mean, deviation = SCALES[scale]
    values = ((pixels - mean) / deviation)[..., :channels].astype(np.float32)
    if kind == "FLOAT16":
        values = values.astype(np.float16).astype(np.float32)
    flat = (values.transpose(2, 0, 1) if shape[1] in (1, 3) else values).reshape(-1)
    exponentials = np.exp(flat @ weights)
    expected = exponentials if end != "Sigmoid" else exponentials / (1 + exponentials)
    np.testing.assert_allclose(backend.run(pixels), expected / expected.sum(), atol=1e-5)


def test_labels_are_read_from_a_file(tmp_path: Path) -> None:
    """Teachable Machine writes a number before each, others the name alone; editors add a mark and empty lines."""
    file = tmp_path / "labels.txt"
    for text in ("0 Happy\n1 Class 2\n", "\ufeffhappiness\r\nclass 2\r\n\r\n"):
        file.write_text(text, encoding="utf-8")
        assert parse_labels(str(file)) == ("happy", "class 2")


def test_an_adopted_file_runs_in_the_loop(tmp_path: Path) -> None:
    """The shipped graph without its card, adopted with labels of one's own order and name."""
    bare, out, events = tmp_path / "bare.tflite", tmp_path / "adopted.tflite", tmp_path / "events.jsonl"
    bare.write_bytes(read_model_file(SHIPPED).graph)
    labels = ",".join(EMOTIONS).replace("sad", "gloomy")
    assert main(["adopt", str(bare), "--labels", labels, "--scale", "0..255", "--grey", "-o", str(out)]) == 0
    card = open_backend(out).card
    assert (card.colour, card.precision, card.input_type, card.outputs) == ("grey", "int8", "uint8", "probabilities")
    pixels = face_input(card.input_size)
    np.testing.assert_allclose(open_backend(out).run(pixels), open_backend(SHIPPED).run(pixels))
    picture = str(ROOT / "edge/assets/astronaut.jpg")
    assert main([picture, "--no-display", "--model", str(out), "--events", str(events)]) == 0
    (face,) = json.loads(events.read_text())["faces"]
    assert face["emotion"] == "happy"
    assert "gloomy" in face["probabilities"]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("fer_quantized.tflite", "--labels LABELS --scale -1..1", "input [1,64,64,1] float32, 7 outputs"),
        ("plain_float.tflite", "--labels LABELS --scale 0..1 --size 48", "input [1,48,48,1] float32, 7 outputs"),
        ("plain.onnx", "--labels LABELS --scale 0..1", "input [?,48,48,1] float32, 7 outputs"),
    ],
)
def test_files_of_other_tools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, arguments: str, expected: str
) -> None:
    file = shared(f"cases/models/{name}")
    if file.suffix == ".onnx":
        pytest.importorskip("onnxruntime")
    out = tmp_path / f"out{file.suffix}"
    assert main(["adopt", str(file), *arguments.replace("LABELS", CSV_ORDER).split(), "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    assert expected in printed
    card = open_backend(out).card
    assert set(card.labels) == set(EMOTIONS)
    assert card.colour == "grey"
    if name.startswith("fer"):
        assert "which smiles: happy 99%" in printed
        assert card.precision == "dynamic"
    else:
        assert "warning: expected happy" in printed  # its weights are random


@pytest.mark.parametrize(
    ("shape", "arguments", "expected"),
    [
        ((1, SIZE, SIZE, 1), "", "expected --labels with 4 names"),
        ((1, SIZE, SIZE, 1), "--labels a,b", "input [1,8,8,1] float32, 4 outputs and 2 labels"),
        ((1, SIZE, SIZE, 1), "--labels a,b,c,d", "it answers by --scale 0..1"),
        ((1, SIZE, SIZE, 1), "--labels a,b,c,d --size 9 --scale 0..1", "expected --size 8"),
        ((1, 1, "h", "w"), "--labels a,b,c,d --scale 0..1", "expected --size with the side"),
        ((1, SIZE, 6, 1), "--labels a,b,c,d --scale 0..1", "found a.onnx with input [1,8,6,1] float32"),
        ((1, 64), "--labels a,b,c,d --scale 0..1", "channels"),
        ((2, SIZE, SIZE, 1), "--labels a,b,c,d --scale 0..1", "one square picture at a time"),
        ((1, SIZE, SIZE, 1), "--labels a,b,c,d --scale 0..1 -o a.onnx", "another name"),
        ((1, SIZE, SIZE, 1), "--labels a,b,c,d --scale 0..1 -o a.tflite", "ending in .onnx"),
        ((1, SIZE, SIZE, 1), "--labels happy,joy,c,d", "different labels"),
        ((1, SIZE, SIZE, 1), "--labels none.txt", "cannot read none.txt"),
        ((1, SIZE, SIZE, 1), "--labels a,b,c,d --scale 0..2", "invalid choice"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shape: tuple[int | str, ...],
    arguments: str,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_onnx(Path("a.onnx"), shape)
    before = Path("a.onnx").read_bytes()
    try:
        status = main(["adopt", "a.onnx", "-o", "out.onnx", *arguments.split()])
    except SystemExit as end:  # argparse
        status = int(end.code or 0)
    error = capsys.readouterr().err
    assert status == 2
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert expected in error
    assert [file.name for file in tmp_path.iterdir()] == ["a.onnx"]
    assert Path("a.onnx").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("emotion.keras", "python -m export.tflite --int8 --model emotion.keras"),
        ("emotion.h5", "python -m export.tflite --int8 --model emotion.h5"),
        ("saved", "python -m export.tflite --int8 --model saved"),
        ("emotion.pt", "torch.onnx.export"),
        ("bare.tflite", "edge-emotion adopt bare.tflite --labels"),
        ("saved/saved_model.pb", "python -m export.tflite --int8 --model saved"),
        ("frozen.pb", "python -m tf2onnx.convert"),
        ("converted_tflite.zip", "unpack it"),
        ("a.txt", ".tflite or .onnx"),
    ],
)
def test_a_model_that_cannot_run_is_told_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("saved").mkdir()
    Path("saved/saved_model.pb").write_bytes(b"")
    Path("bare.tflite").write_bytes(read_model_file(SHIPPED).graph)
    picture = str(ROOT / "edge/assets/astronaut.jpg")
    assert main([picture, "--no-display", "--model", name]) == 2
    assert expected in capsys.readouterr().err


def test_scales_of_cards_have_numbers() -> None:
    assert set(CHOICES["input_scale"]) == set(SCALES)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], "probabilities"),
        ([[0.199, 0.797], [0.996, 0.0]], "probabilities"),  # of 8 bits
        ([[0.2, 0.8], [-3.0, 2.0]], "logits"),
        ([[-0.2, -1.7], [-0.1, -2.4]], "logits"),  # log probabilities: softmax gives what they are of
        ([[-0.03, 0.6], [0.4, 0.61]], "logits"),
        ([[0.9, 0.8], [0.1, 0.2]], "scores"),
    ],
)
def test_kinds_of_outputs_are_told_apart(rows: list[list[float]], kind: str) -> None:
    assert kind_of_outputs(np.array(rows, np.float32)) == kind


def test_models_with_other_emotions_are_judged_by_name() -> None:
    """A label that the judge lacks is left out, one that the model lacks is never its answer."""
    card = read_model_file(SHIPPED).card
    object.__setattr__(card, "labels", ("contempt", "happy", "sad"))
    check_labels(card)
    columns = by_class(np.array([[0.5, 0.2, 0.3]], np.float32), card)
    np.testing.assert_allclose(columns, [[0, 0, 0, 0.2, 0, 0.3, 0]])

"""Read the standard metadata of a .tflite file, without and with its clients. Needs no TensorFlow."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.labels import EMOTIONS
from edge.model_file import read_model_file
from edge.opencv import cv2
from edge.preprocess import crop, to_input
from edge.sources.demo import FACE_CENTRE, PHOTOGRAPH
from edge.values import Box


def metadata_buffer(path: Path) -> bytes:
    """Return the TFLITE_METADATA buffer of a model file."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="needs ai-edge-litert's schema")
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
    return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())


def portrait() -> np.ndarray:
    """Return the demo's face as the shipped network's input, uint8 [size, size, 3]."""
    x, y = (round(coordinate) for coordinate in FACE_CENTRE)
    face = crop(cv2.imread(str(PHOTOGRAPH)), Box(x - 60, y - 60, 120, 120))
    card = read_model_file(SHIPPED).card
    return to_input(face, card.input_size, card.face_size)


def test_the_metadata_describes_input_and_output() -> None:
    """Follow the field numbers of metadata_schema.fbs, with flatbuffers' own reader."""
    table = pytest.importorskip("flatbuffers").table.Table
    buffer = metadata_buffer(SHIPPED)
    assert buffer[4:8] == b"M001"

    def field(root: object, number: int) -> int:
        offset = root.Offset(4 + 2 * number)
        assert offset, f"expected field {number}"
        return offset

    def sub(root: object, number: int) -> object:
        return table(buffer, root.Indirect(field(root, number) + root.Pos))

    def first(root: object, number: int) -> object:
        return table(buffer, root.Indirect(root.Vector(field(root, number))))

    def text(root: object, number: int) -> str:
        return root.String(field(root, number) + root.Pos).decode()

    def number_at(root: object, number: int) -> float:
        return float(np.frombuffer(buffer, "<f4", 1, root.Vector(field(root, number)))[0])

    model = table(buffer, int(np.frombuffer(buffer, "<u4", 1)[0]))
    graph = first(model, 3)
    pixels, emotion = first(graph, 2), first(graph, 3)
    scaling = sub(first(pixels, 4), 1)
    assert (number_at(scaling, 0), number_at(scaling, 1)) == (0.0, 1.0)
    assert text(first(emotion, 6), 0) == "labels.txt"
    assert text(first(model, 6), 0) == "card.json"
    assert "Apache-2.0" in text(model, 5)
    with zipfile.ZipFile(SHIPPED) as archive:
        assert archive.namelist() == ["labels.txt", "card.json"]


def test_mediapipe_returns_the_same_probabilities() -> None:
    """Run the real ImageClassifier on the shipped file."""
    mediapipe = pytest.importorskip("mediapipe", reason="needs the mediapipe package (pip install mediapipe)")
    from mediapipe.tasks import python as tasks

    options = tasks.vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=str(SHIPPED)))
    pixels = portrait()
    with tasks.vision.ImageClassifier.create_from_options(options) as classifier:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        categories = classifier.classify(image).classifications[0].categories
    assert {item.category_name for item in categories} == set(EMOTIONS)
    probabilities = dict(zip(EMOTIONS, open_backend(SHIPPED).run(pixels), strict=True))
    for item in categories:
        assert item.score == pytest.approx(probabilities[item.category_name], abs=1 / 128)

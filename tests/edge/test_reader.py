"""Specify the Python API: readings of pictures and videos, and the errors that it documents."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import edge
from edge import EmotionReader, annotate
from edge.errors import EmotionError, MissingExtra, ModelError, SourceError, UsageError
from edge.labels import EMOTIONS
from edge.opencv import cv2
from edge.sources.demo import PHOTOGRAPH, demo_images
from edge.values import Box, EmotionProbabilities, Face, Reading
from tests.conftest import ROOT

CONSUMER = """
from edge import EmotionError, EmotionReader, Reading, annotate

def happiest(path: str) -> float:
    try:
        readings: list[Reading] = EmotionReader(detector="haar").read(path)
    except EmotionError:
        return 0.0
    return max(reading.probabilities["happy"] for reading in readings)

reveal_type(happiest("photo.jpg"))
reveal_type(EmotionReader().read("photo.jpg")[0].emotion)
EmotionReader(treads=2)
"""


@pytest.fixture(scope="module")
def reader() -> EmotionReader:
    return EmotionReader(detector="haar")


def test_a_picture_is_read_in_three_lines(reader: EmotionReader) -> None:
    (reading,) = reader.read(PHOTOGRAPH)
    assert reading.emotion == "happy"
    assert str(reading).startswith("happy ")
    assert list(reading.probabilities) == list(EMOTIONS)
    assert reading.probabilities["happy"] == reading.confidence
    assert sum(reading.probabilities.values()) == pytest.approx(1, abs=0.02)


def test_readings_and_probabilities_print_short() -> None:
    probabilities = EmotionProbabilities(happy=0.890625, sad=1 / 3)
    reading = Reading(1, Face(Box(231, 63, 181, 181)), probabilities)
    assert repr(probabilities) == "{'happy': 0.89, 'sad': 0.33}"
    assert repr(reading) == "<Reading 1: happy 89% at 231,63 181x181>"


@pytest.mark.parametrize(
    ("label", "emotion", "confidence"), [(None, "b", 0.5), ("a", "a", 0.3), ("uncertain", "uncertain", 0.5)]
)
def test_the_label_decides_which_probability_is_the_confidence(
    label: str | None, emotion: str, confidence: float
) -> None:
    reading = Reading(1, Face(Box(0, 0, 1, 1)), EmotionProbabilities(a=0.3, b=0.5), label)
    assert (reading.emotion, reading.confidence) == (emotion, confidence)


def test_an_array_gives_the_same_readings_as_its_file(reader: EmotionReader) -> None:
    assert reader.read(str(PHOTOGRAPH)) == reader.read(cv2.imread(str(PHOTOGRAPH)))


def test_follow_keeps_ids_and_read_does_not_disturb_it(reader: EmotionReader) -> None:
    ids = set()
    for i, image in enumerate(islice(demo_images(300), 12)):
        ids |= {reading.id for reading in reader.follow(image, i / 30)}
        reader.read(image[::-1])
    assert ids == {1}


@pytest.mark.parametrize("time_s", [None, "1", float("nan"), float("inf")])
def test_follow_refuses_a_time_that_is_no_number(reader: EmotionReader, time_s: object) -> None:
    image = cv2.imread(str(PHOTOGRAPH))
    with pytest.raises(UsageError, match="time of the frame in seconds"):
        reader.follow(image, time_s)
    assert reader.follow(image, 1.0), "and goes on"


def test_annotate_draws_the_readings(reader: EmotionReader) -> None:
    image = cv2.imread(str(PHOTOGRAPH))
    annotated = annotate(image, reader.read(image))
    assert annotated.shape == image.shape
    assert (annotated != image).any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"detector": "mtcnn"}, UsageError, "expected a detector"),
        ({"threads": 0}, UsageError, "expected 1 to 64 threads, found 0"),
        ({"threads": 65}, UsageError, "expected 1 to 64 threads"),
        ({"threads": "2"}, UsageError, "expected 1 to 64 threads, found '2'"),
        ({"model": "missing.tflite"}, ModelError, "no model at missing.tflite"),
        ({"model": "photo.jpg"}, ModelError, r"expected a model file .tflite or .onnx, found photo.jpg"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_wrong_arguments_raise_the_documented_errors(
    arguments: dict[str, object], error: type[EmotionError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        EmotionReader(**arguments)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_pictures_raise_source_error(reader: EmotionReader, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(SourceError, match="cannot decode"):
        reader.read(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match=r"missing.jpg does not exist"):
        reader.read("missing.jpg")
    with pytest.raises(SourceError, match="is a folder"):
        reader.read(tmp_path)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((40, 40, 3), np.float32),
        np.zeros((40, 40, 3), np.uint16),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 1), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros(40, np.uint8),
        None,
    ],
    ids=lambda picture: f"{picture.dtype} {picture.shape}" if picture is not None else "none",
)
def test_arrays_that_are_no_pictures_raise_usage_error(reader: EmotionReader, picture: np.ndarray) -> None:
    with pytest.raises(UsageError, match="expected a picture uint8"):
        reader.read(picture)
    with pytest.raises(UsageError, match="expected a picture uint8"):
        reader.follow(picture, 0.0)


# What takes long to import, and few runs need; each is imported where it is used.
LATE = {"asyncio", "concurrent.futures", "email.message", "fractions", "http.client", "importlib.metadata"}
LATE |= {"multiprocessing", "numpy.ma", "ssl", "statistics", "subprocess", "tempfile", "urllib.request", "uuid"}


def test_import_edge_is_lean_and_without_opencv_the_reader_raises(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    program = (
        "import sys, edge\n"
        "assert not {'numpy', 'cv2'} & set(sys.modules)\n"
        "import numpy\n"
        "known = set(sys.modules)\n"
        "from edge.run import parse_args\n"
        "parse_args(None, ['clip.mp4', '--no-display'])\n"
        f"late = {LATE} & set(sys.modules) - known\n"
        "assert not late, late\n"
        "try: edge.EmotionReader(detector='haar').read('" + str(PHOTOGRAPH) + "')\n"
        "except edge.EmotionError as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(MissingExtra.__name__)
    assert "libGL" in done.stdout


def test_the_package_exports_the_api_alone() -> None:
    assert {name: getattr(edge, name).__name__ for name in edge.__all__} == {name: name for name in edge.__all__}
    with pytest.raises(AttributeError, match="no attribute 'emotion_reader'"):
        _ = edge.emotion_reader


@pytest.mark.slow
def test_the_api_is_typed_for_its_users(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "consumer.py").write_text(CONSUMER)
    command = [sys.executable, "-m", "mypy", tmp_path / "consumer.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    messages = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if "consumer.py:" in line]
    assert messages[:3] == [
        'note: Revealed type is "float"',
        'note: Revealed type is "str"',
        'error: Unexpected keyword argument "treads" for "EmotionReader"; did you mean "threads"?  [call-arg]',
    ]


@pytest.mark.parametrize("wrong", [{"uncertain_below": 40}, {"smallest": -5}, {"smallest": 0}])
def test_limits_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"expected (uncertain_below|smallest)"):
        EmotionReader(**wrong)  # type: ignore[arg-type]


def test_a_reader_has_the_limits_of_a_run() -> None:
    with EmotionReader(uncertain_below=0.999) as reader:
        assert [reading.label for reading in reader.read(PHOTOGRAPH)] == ["uncertain"]
    with EmotionReader(detector="haar", smallest=400) as reader:
        assert reader.read(PHOTOGRAPH) == []

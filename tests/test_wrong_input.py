"""Specify the answer of every command to wrong input: one line on stderr, exit status 2, no file written."""

from __future__ import annotations

import importlib
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from edge.backend import SHIPPED
from edge.labels import EMOTIONS
from edge.model_file import CARD_FILE, read_model_file
from edge.opencv import cv2
from tests.conftest import draw_data_set
from train.runs import save_model
from train.zoo import build

RUN = "edge.__main__"
TRAIN = "train.__main__"
EVALUATE = "train.evaluate"
TFLITE = "export.tflite"
ONNX = "export.onnx"
VERIFY = "export.verify"
BENCHMARKS = "benchmarks.__main__"
COMPARE = "benchmarks.compare"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill a folder with wrong files of every kind, and make it the current one."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "garbage.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "garbage.jpg").write_bytes(b"no picture" * 100)
    (tmp_path / "garbage.tflite").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.onnx").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.keras").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.csv").write_text("a,b\n1,2\n")
    (tmp_path / "cut.tflite").write_bytes(SHIPPED.read_bytes()[: SHIPPED.stat().st_size // 2])
    (tmp_path / "garbage.zip").write_bytes(b"no archive" * 100)
    (tmp_path / "wrong_labels" / "train" / "bored").mkdir(parents=True)
    for number in "012":
        (tmp_path / "numbers" / number).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "numbers" / number / "a.png"), np.zeros((48, 48), dtype=np.uint8))
    shutil.copytree(draw_data_set(tmp_path / "data", train=2, public=1), tmp_path / "damaged")
    (tmp_path / "damaged" / "train" / "sad" / "x.png").write_bytes(b"no picture")
    shutil.copytree(tmp_path / "data", tmp_path / "six")
    shutil.rmtree(tmp_path / "six" / "train" / "fear")
    cv2.imwrite(str(tmp_path / "face.png"), np.zeros((64, 64, 3), dtype=np.uint8))
    os.mkfifo(tmp_path / "pipe")
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    writer.write(np.zeros((48, 64, 3), dtype=np.uint8))
    writer.release()
    card = read_model_file(SHIPPED).card
    graph = _without_card(SHIPPED)
    for name, labels in (("three_labels", ("a", "b", "c")), ("bored", ("bored", *EMOTIONS[1:]))):
        other = replace(card, labels=labels, face_probabilities=())
        _write_model(tmp_path / f"{name}.tflite", graph, other.to_json())
    _write_model(
        tmp_path / "odd_margin.tflite", graph, card.to_json().replace('"crop_margin": 0.0', '"crop_margin": "x"')
    )
    keras.Sequential([keras.Input((10,)), keras.layers.Dense(7)]).save(tmp_path / "ten_numbers.keras")
    pooled = [keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()]
    keras.Sequential([*pooled, keras.layers.Dense(3)]).save(tmp_path / "three.keras")
    save_model(build("cnn", 32, "none", dropout=0.3), tmp_path / "seven.keras")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _without_card(path: Path) -> bytes:
    """Return the flatbuffer alone: the appended zip archive begins with its first entry."""
    with zipfile.ZipFile(path) as archive:
        return path.read_bytes()[: min(entry.header_offset for entry in archive.infolist())]


def _write_model(path: Path, graph: bytes, card: str) -> None:
    path.write_bytes(graph)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_FILE, card)


CASES = [
    (RUN, "--source nowhere.mp4", "no source"),
    (RUN, "--source garbage.mp4", "cannot decode"),
    (RUN, "--source garbage.jpg", "cannot decode"),
    (RUN, "--source empty", "found none"),
    (RUN, "--source 97", "cannot open camera 97"),
    (RUN, "--source http://127.0.0.1:9/none", "cannot open stream"),
    (RUN, "--source demo --model nowhere.tflite", "no model"),
    (RUN, "--source demo --model garbage.tflite", "card"),
    (RUN, "--source demo --model cut.tflite", "card"),
    (RUN, "--source demo --model garbage.onnx", "card"),
    (RUN, "--source demo --model face.png", ".tflite or .onnx"),
    (RUN, "--source demo --max-frames 0", "from 1"),
    (RUN, "--source demo --threads two", "from 1"),
    (RUN, "--source demo --detector magic", "invalid choice"),
    (RUN, "--source demo --record out.xyz", ".mp4"),
    (RUN, "--source demo --record nowhere/out.mp4", "cannot write"),
    (RUN, "--source face.png --record out.mp4", "folder"),
    (RUN, "--source demo --events nowhere/out.jsonl", "cannot write"),
    (RUN, "--source demo --events empty", "cannot write"),
    (RUN, "--source demo --stats empty", "cannot write"),
    (RUN, "--source demo --stats /dev/null", "no plain file"),
    (RUN, "--source demo --volume 11", "unrecognized"),
    (RUN, "--camera 0", "--source 0"),
    (RUN, "demo --source 0", "one source"),
    (RUN, "dmeo", "did you mean demo"),
    (RUN, "--source demo --threads 100000", "from 1 to 64"),
    (RUN, "--source 99999999999", "no source"),
    (RUN, f"--source {300 * 'x'}", "too long"),
    (RUN, "--source pipe", "neither"),
    (RUN, "--source face.png --record .", "other than the source"),
    (RUN, "--source clip.avi --record clip.avi", "other than the source"),
    (RUN, "--source clip.avi --events clip.avi", "other than the source"),
    (RUN, "--source demo --no-display --events /dev/full", "cannot write events"),
    (RUN, "--source demo --model three_labels.tflite", "3 outputs"),
    (RUN, "--source demo --model odd_margin.tflite", "crop margin"),
    (TRAIN, "--data nowhere", "no data"),
    (TRAIN, "--data face.png", "folder of faces"),
    (TRAIN, "--data empty", "train/"),
    (TRAIN, "--data garbage.csv", "columns"),
    (TRAIN, "--data wrong_labels", "labels of your own"),
    (TRAIN, "--data numbers", "add --labels"),
    (TRAIN, "--data numbers --labels angry", "expected --labels"),
    (TRAIN, "--data data --labels angry,anger", "different names"),
    (TRAIN, "--data garbage.zip", "cannot unpack"),
    (TRAIN, "--data damaged --strict", "x.png"),
    (TRAIN, "--data six --validation public", "fear"),
    (TRAIN, "--data data --epochs 0", "from 1"),
    (TRAIN, "--data data --learning-rate -1", "above 0"),
    (TRAIN, "--data data --dropout 1", "below 1"),
    (TRAIN, "--data data --head-epochs 9 --epochs 3", "must not exceed"),
    (TRAIN, "--data data --batch-size 65 --weights none --size 32", "at least one batch"),
    (TRAIN, "--data data --batch-size 7 --weights nowhere.h5", "weights file"),
    (TRAIN, "--data data --batch-size 7 --weights garbage.jpg", "check --weights"),
    (TRAIN, "--resume", "--out"),
    (TRAIN, "--resume --out empty", "recipe.json"),
    (TRAIN, "--data data --seed 5000000000", "from 0"),
    (TRAIN, "--data data --arch resnet --batch-size 7", "--arch"),
    (TRAIN, "--data data --arch cnn --weights imagenet --batch-size 7", "pretrained"),
    (TRAIN, "--data data --batch-size 7 --weights none --size 32 --teacher face.png", ".keras, .tflite or .onnx"),
    (TRAIN, "--data data --batch-size 7 --weights none --size 32 --teacher nowhere.tflite", "no model"),
    (TRAIN, "--data data --batch-size 7 --weights none --size 32 --teacher bored.tflite", "bored"),
    (TRAIN, "--data data --batch-size 7 --weights none --size 32 --soft-labels garbage.csv", "table of votes"),
    (TRAIN, "--data data --votes posterior", "--soft-labels"),
    (EVALUATE, "--model face.png --data data --out o", ".keras, .tflite or .onnx"),
    (EVALUATE, "--model bored.tflite --data data --out o", "bored"),
    (EVALUATE, "--model ten_numbers.keras --data data --out o", "square RGB"),
    (EVALUATE, "--model nowhere.keras --data data --out o", "no model"),
    (EVALUATE, "--model garbage.tflite --data data --out o", "card"),
    (EVALUATE, "--model seven.keras --data data --split private --out o", "private"),
    (TFLITE, "", "--int8"),
    (TFLITE, "--int8 --model nowhere.keras", "no model"),
    (TFLITE, "--int8 --model garbage.keras --data data", "damaged"),
    (TFLITE, "--int8 --model face.png --data data", ".keras"),
    (TFLITE, "--int8 --model garbage.keras -o out.onnx", ".tflite"),
    (TFLITE, "--int8 --float32 --model garbage.keras -o out.tflite", "one file"),
    (TFLITE, "--int8 --calibration-faces 0", "from 1"),
    (ONNX, "--float32 --model garbage.keras --data data", "damaged"),
    (ONNX, "--float16", "unrecognized"),
    (TFLITE, "--all --model ten_numbers.keras --data data", "square RGB"),
    (TFLITE, "--int8 --model three.keras", "made by train"),
    (TFLITE, "--int8 --model seven.keras --data empty", "train/"),
    (TFLITE, "--int8 --model seven.keras --data nowhere", "no data"),
    (TFLITE, "--int8 --model seven.keras", "calibrate int8 on"),
    (ONNX, "--int8 --model seven.keras", "calibrate int8 on"),
    (TFLITE, "--float32 --model seven.keras -o face.png/out.tflite", "cannot write"),
    (TFLITE, "--float32 --model seven.keras -o /dev/null/out.tflite", "cannot write"),
    (VERIFY, "garbage.tflite --against garbage.keras --data data", "card"),
    (BENCHMARKS, "--data data --models bored.tflite --out o --rounds 5", "bored"),
    (BENCHMARKS, "--models nowhere.tflite --out o", "no model"),
    (BENCHMARKS, "--models garbage.tflite --out o", "card"),
    (BENCHMARKS, "--data nowhere --out o", "no data"),
    (BENCHMARKS, "--source nowhere.mp4 --out o", "no source"),
    (BENCHMARKS, "--out face.png", "cannot write"),
    (BENCHMARKS, "--out o --peer nowhere", "a Python that has fer"),
    (BENCHMARKS, "--out o --detector-model garbage.tflite", "cannot load"),
    (BENCHMARKS, "--out o --sustained 0", "sustained"),
    (BENCHMARKS, "--out o --resolutions 640", "resolutions"),
    (COMPARE, "garbage.csv data", "expected the results.json"),
    (BENCHMARKS, "--rounds 1 --out o", "from 5"),
]


@pytest.mark.parametrize(("module", "arguments", "expected"), CASES, ids=lambda value: value or "nothing")
def test_wrong_input(here: Path, capfd: pytest.CaptureFixture[str], module: str, arguments: str, expected: str) -> None:
    before = sorted(here.rglob("*"))
    try:
        status = importlib.import_module(module).main(arguments.split())
    except SystemExit as end:  # argparse
        status = end.code
    stderr = capfd.readouterr().err
    assert status == 2
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    assert expected in stderr
    assert sorted(here.rglob("*")) == before


def test_an_unwritable_run_folder_is_refused_before_training(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert (
        importlib.import_module(TRAIN).main(
            ["--data", "data", "--batch-size", "7", "--weights", "none", "--size", "32", "--out", "file/run"]
        )
        == 2
    )
    assert "cannot write" in capfd.readouterr().err

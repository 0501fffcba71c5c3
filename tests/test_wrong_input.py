"""Wrong input to every command: one line on stderr, exit status 2, nothing written."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.classifier import SHIPPED
from tests.conftest import draw_data_set

RUN, TRAIN, EVALUATE = "edge.run", "train.__main__", "train.evaluate"
TFLITE, ONNX, VERIFY, BENCHMARKS = "export.tflite", "export.onnx", "export.verify", "benchmarks.__main__"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all sorts of wrong things in it, made the current one."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "garbage.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "garbage.jpg").write_bytes(b"no picture" * 100)
    (tmp_path / "garbage.tflite").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.onnx").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.keras").write_bytes(b"no model" * 100)
    (tmp_path / "garbage.csv").write_text("a,b\n1,2\n")
    (tmp_path / "cut.tflite").write_bytes(SHIPPED.read_bytes()[: SHIPPED.stat().st_size // 2])
    (tmp_path / "wrong_labels" / "train" / "bored").mkdir(parents=True)
    shutil.copytree(draw_data_set(tmp_path / "data", train=2, public=1), tmp_path / "damaged")
    (tmp_path / "damaged" / "train" / "sad" / "x.png").write_bytes(b"no picture")
    shutil.copytree(tmp_path / "data", tmp_path / "six")
    shutil.rmtree(tmp_path / "six" / "train" / "fear")
    cv2.imwrite(str(tmp_path / "face.png"), np.zeros((64, 64, 3), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = [
    (RUN, "--source nowhere.mp4", "no source"),
    (RUN, "--source garbage.mp4", "cannot decode"),
    (RUN, "--source garbage.jpg", "cannot decode"),
    (RUN, "--source empty", "found none"),
    (RUN, "--source 97", "cannot open camera 97"),
    (RUN, "--source http://127.0.0.1:9/none", "cannot open camera"),
    (RUN, "--source demo --model nowhere.tflite", "no model"),
    (RUN, "--source demo --model garbage.tflite", "card"),
    (RUN, "--source demo --model cut.tflite", "card"),
    (RUN, "--source demo --model garbage.onnx", "ONNX"),
    (RUN, "--source demo --model face.png", ".tflite or .onnx"),
    (RUN, "--source demo --max-frames 0", "at least 1"),
    (RUN, "--source demo --threads two", "at least 1"),
    (RUN, "--source demo --detector magic", "invalid choice"),
    (RUN, "--source demo --record out.xyz", ".mp4"),
    (RUN, "--source demo --record nowhere/out.mp4", "cannot write"),
    (RUN, "--source face.png --record out.mp4", "folder"),
    (RUN, "--source demo --events nowhere/out.jsonl", "cannot write"),
    (RUN, "--source demo --events empty", "cannot write"),
    (RUN, "--source demo --stats empty", "--stats"),
    (RUN, "--source demo --volume 11", "unrecognized"),
    (TRAIN, "--data nowhere", "no data"),
    (TRAIN, "--data face.png", "folder of faces"),
    (TRAIN, "--data empty", "train/"),
    (TRAIN, "--data garbage.csv", "columns"),
    (TRAIN, "--data wrong_labels", "bored"),
    (TRAIN, "--data damaged", "x.png"),
    (TRAIN, "--data six", "fear"),
    (TRAIN, "--data data --epochs 0", "at least 1"),
    (TRAIN, "--data data --rate -1", "above 0"),
    (TRAIN, "--data data --dropout 1", "below 1"),
    (TRAIN, "--data data --head-epochs 9 --epochs 3", "must not exceed"),
    (TRAIN, "--data data --batch 64 --weights none --size 32", "at least one batch"),
    (TRAIN, "--data data --batch 7 --weights nowhere.h5", "weights file"),
    (TRAIN, "--data data --batch 7 --weights garbage.jpg", "could not load"),
    (TRAIN, "--resume", "--out"),
    (TRAIN, "--resume --out empty", "recipe.json"),
    (EVALUATE, "--model nowhere.keras --data data --out o", "no model"),
    (EVALUATE, "--model garbage.tflite --data data --out o", "card"),
    (EVALUATE, "--model garbage.keras --data data --split private --out o", "private"),
    (TFLITE, "", "--int8"),
    (TFLITE, "--int8", "no finished run"),
    (TFLITE, "--int8 --model nowhere.keras", "no model"),
    (TFLITE, "--int8 --model garbage.keras --data data", "cannot open"),
    (TFLITE, "--int8 --model face.png --data data", ".keras"),
    (TFLITE, "--int8 --model garbage.keras -o out.onnx", ".tflite"),
    (TFLITE, "--int8 --float32 --model garbage.keras -o out.tflite", "one file"),
    (TFLITE, "--int8 --calibration-faces 3", "at least 7"),
    (ONNX, "--float32 --model garbage.keras --data data", "cannot open"),
    (ONNX, "--int8", "unrecognized"),
    (VERIFY, "garbage.tflite --against garbage.keras --data data", "card"),
    (BENCHMARKS, "--models nowhere.tflite --out o", "no model"),
    (BENCHMARKS, "--models garbage.tflite --out o", "card"),
    (BENCHMARKS, "--data nowhere --out o", "no data"),
    (BENCHMARKS, "--source nowhere.mp4 --out o", "no source"),
    (BENCHMARKS, "--out face.png", "folder"),
    (BENCHMARKS, "--runs 1 --out o", "at least 20"),
]


@pytest.mark.parametrize(("module", "arguments", "expected"), CASES, ids=lambda value: value or "nothing")
def test_wrong_input(here: Path, capfd: pytest.CaptureFixture[str], module: str, arguments: str, expected: str) -> None:
    before = sorted(here.rglob("*"))
    try:
        status = importlib.import_module(module).main(arguments.split())
    except SystemExit as ended:  # argparse
        status = ended.code
    stderr = capfd.readouterr().err
    assert status == 2
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    assert expected in stderr
    assert sorted(here.rglob("*")) == before


def test_an_unwritable_place_is_refused_before_the_work(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert (
        importlib.import_module(TRAIN).main(
            ["--data", "data", "--batch", "7", "--weights", "none", "--size", "32", "--out", "file/run"]
        )
        == 2
    )
    assert "cannot write" in capfd.readouterr().err

"""Specify which outputs are refused: none may be a source, a model or another output, whatever it is called."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge.run
from edge.backend import SHIPPED
from edge.conflicts import check_folder, check_outputs
from edge.options import parse_args
from edge.source import open_source


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fill a folder with a clip, pictures and every kind of link to them, and make it the current one."""
    monkeypatch.chdir(tmp_path)
    for name in ("ph/a.jpg", "ph/sub/a.jpg", "ph/other/b.jpg", "old/a.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(name, np.full((48, 64, 3), 9, np.uint8))
    writer = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    os.link("clip.avi", "hard")
    os.link("clip.avi", "hard.avi")
    os.link("ph/a.jpg", "hard.jpg")
    Path("soft").symlink_to("clip.avi")
    Path("soft.avi").symlink_to("clip.avi")
    Path("again").symlink_to("ph")
    Path("dangling").symlink_to("new.jsonl")
    for folder, link in (("links", os.symlink), ("hard_links", os.link)):
        Path(folder).mkdir()
        link(Path("ph/a.jpg").absolute(), f"{folder}/a.jpg")
    Path("tree").mkdir()
    Path("tree/sub").symlink_to(Path("ph/sub").absolute())
    shutil.copy(SHIPPED, "model.tflite")
    os.link("model.tflite", "hard_model")
    Path("me.json").write_text("{}")
    os.link("me.json", "hard_me.json")
    os.mkfifo("pipe")
    with zipfile.ZipFile("photos", "w") as archive:
        archive.write("ph/a.jpg")
    os.link("photos", "hard_photos")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


REFUSED = [
    "clip.avi --record clip.avi",
    "clip.avi --record ./ph/../clip.avi",
    "clip.avi --record soft.avi",
    "clip.avi --record hard.avi",
    "clip.avi --events hard",
    "clip.avi --events soft",
    "soft --events hard",
    "clip.avi --stats hard",
    "hard --record clip.avi",
    "ph/**/*.jpg --record ph/sub",
    "ph --record ph",
    "ph --record again",
    "again --record ph",
    "ph/a.jpg --record ph",
    "ph --record links",
    "ph --record hard_links",
    "ph/**/*.jpg --record tree",
    "ph/*/*.jpg --record ph",
    "ph --events hard.data",
    "zip://**/*.jpg::photos --events photos",
    "zip://**/*.jpg::file://{here}/photos --stats hard_photos",
    "file://{here}/ph --record ph",
    "file://{here}/ph --record links",
    "demo --model model.tflite --events hard_model",
    "demo --model . --stats hard_model",
    "demo --neutral me.json --events hard_me.json",
    "demo --neutral me.json --stats me.json",
    "demo --events a.csv --events ./a.csv",
    "demo --events a.csv --events A.CSV",
    "demo --events caf\u00e9 --events cafe\u0301",
    "demo --events new.jsonl --events dangling",
    "demo --events hard --events soft",
    "demo --events - --events /dev/stdout",
    "demo --record a.avi --stats a.avi",
    f"demo --events {SHIPPED}",
    f"demo --stats {SHIPPED}",
]


@pytest.mark.parametrize("arguments", REFUSED)
def test_an_output_that_is_an_input_is_refused(here: Path, capfd: pytest.CaptureFixture[str], arguments: str) -> None:
    if "file://" in arguments:
        pytest.importorskip("fsspec", reason="addresses of archives need the extra cluster")
    os.link("ph/a.jpg", "hard.data")
    before = contents(here)
    status = edge.run.main([*arguments.format(here=here).split(), "--no-display", "--max-frames", "1"])
    stderr = capfd.readouterr().err
    assert (status, stderr.count("\n")) == (2, 1), stderr
    assert "other than" in stderr or "with a text file's name" in stderr
    assert contents(here) == before


ALLOWED = [
    "clip.avi --record out.avi --events clip --stats clip.json",
    "clip.avi --record old/clip.avi",
    "clip.avi --record CLIP.AVI",
    "ph --record out",
    "ph --record ph/annotated",
    "ph --record old",
    "hard.jpg --record ph",
    "soft --events clip",
    "ph --record .",
    "ph/a.jpg --record .",
    "ph/**/*.jpg --record old",
    "ph --events ph/events.jsonl",
    ". --events events.jsonl --stats stats.json",
    "ph/* --events ph/events.csv",
    "demo --events /dev/null --events /dev/null",
    "demo --events pipe --events pipe",
    "demo --events -",
    "demo --neutral me.json --save-neutral me.json",
    "demo --model model.tflite --events model",
]


@pytest.mark.parametrize("arguments", ALLOWED)
@pytest.mark.usefixtures("here")
def test_other_outputs_are_allowed(arguments: str) -> None:
    options = parse_args(None, [*arguments.split(), "--no-display"])
    check_outputs(options)
    for output in options.outputs:  # left by the run before
        path = Path(output.target)
        if output.name == "events" and not path.exists() and output.target != "-":
            path.write_text('{"frame": 0}\n')
        elif output.name == "record" and not path.suffix:
            (path / "made").mkdir(parents=True, exist_ok=True)
    check_outputs(options)
    with contextlib.closing(open_source(options.source)) as source:
        for output in options.outputs:
            if source.independent and output.name == "record":
                check_folder(Path(output.target), source)

"""Measure recall, false alarms and time of the detectors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import detection
from edge.opencv import cv2
from edge.sources.demo import PHOTOGRAPH


def test_faces_and_false_alarms_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("faces", "nofaces"):
        (tmp_path / name).mkdir()
    shutil.copy(PHOTOGRAPH, tmp_path / "faces")
    (tmp_path / "faces" / "notes.txt").write_text("no picture")
    cv2.imwrite(str(tmp_path / "nofaces" / "wall.png"), np.full((100, 100, 3), 90, np.uint8))
    arguments = ["--faces", str(tmp_path / "faces"), "--nofaces", str(tmp_path / "nofaces"), "--detector", "yunet"]
    assert detection.main([*arguments, "--smallest", "0.1"]) == 0
    printed = capsys.readouterr()
    _, thorough, fast = printed.out.splitlines()
    assert "1 that are no pictures, as notes.txt" in printed.err
    assert "yunet" in thorough
    for row in (thorough, fast):
        assert "1 of 1" in row
        assert "0 of 1" in row


def test_a_smallest_face_of_no_width_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        detection.main(["--faces", str(tmp_path), "--nofaces", str(tmp_path), "--smallest", "0"])
    assert "expected a number above 0" in capsys.readouterr().err


def test_an_empty_folder_is_one_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert detection.main(["--faces", str(tmp_path), "--nofaces", str(tmp_path)]) == 2
    assert "expected pictures below" in capsys.readouterr().err

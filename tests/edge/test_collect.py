"""Specify `edge-emotion collect`: keys, folders, and the refusal where there is no display."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge import collect
from edge.__main__ import main
from edge.detectors.haar import Haar
from edge.opencv import cv2
from tests.edge.samples import replace_windows
from train.data import load


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Replace OpenCV's windows, and the pace of the demo; return the pictures that are shown."""
    monkeypatch.setattr(collect, "window_unavailable", lambda: None)
    monkeypatch.setattr(collect, "paced", iter)
    return replace_windows(monkeypatch)


def press(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """Press one key a frame; a dot is none."""
    pressed = iter(keys)
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1 if (key := next(pressed)) == "." else ord(key))


def test_a_key_saves_the_face_in_the_folder_of_its_label(
    tmp_path: Path, shown: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my faces"
    for keys in (".1.3x9q", "11q"):  # the second run adds to the first; 9 is no label
        press(monkeypatch, keys)
        assert main(["collect", "demo", "--labels", "bored, focused,away", "--out", str(out)]) == 0
    assert len(shown) == 10
    assert shown[0].shape == shown[1].shape
    printed = capsys.readouterr().out
    assert f"{out}: bored 3, focused 0, away 1" in printed
    faces = load(out)["train"]
    assert dict(zip(faces.classes, faces.counts().tolist(), strict=True)) == {"away": 1, "bored": 3}
    assert f"python -m train --data {out}" in printed


def test_without_a_face_nothing_is_saved(
    tmp_path: Path, shown: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    press(monkeypatch, "1q")
    monkeypatch.setattr(Haar, "detect", lambda *_: [])
    assert main(["collect", "demo", "--labels", "a,b", "--detector", "haar", "--out", str(tmp_path / "out")]) == 0
    assert "not saved as a: no face" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_closing_the_window_ends_it(tmp_path: Path, shown: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, ".......")
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 0)
    assert main(["collect", "demo", "--labels", "a,b", "--out", str(tmp_path)]) == 0
    assert len(shown) == 1


def test_without_a_display_it_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(collect, "window_unavailable", lambda: "no display")
    assert main(["collect", "demo", "--labels", "a,b", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "error: expected a display, to show your face and to take keys, found none (no display)\n"
    )


@pytest.mark.parametrize(
    "labels", ["a", "a,a", "A,a", "a,../b", "a,.b", "a,", "a,b/c", "a,\x1b[2J", "0,1,2,3,4,5,6,7,8,9"]
)
def test_labels_that_name_no_folders_are_refused(labels: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        collect.parse_args(["--labels", labels])
    error = capsys.readouterr().err
    assert error.startswith("error: argument --labels: expected ")
    assert "\x1b" not in error

"""Measure what cores bring, on a few frames."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import cores
from benchmarks.measure.clip import read_clip
from edge.detector import open_detector


@pytest.mark.parametrize("faces", list(cores.GRIDS))
def test_a_tiled_picture_has_so_many_faces(faces: int) -> None:
    frames = cores.tile(read_clip("demo", 8), faces)
    assert [frame.image.shape for frame in frames] == [(480, 640, 3)] * 8
    assert len(open_detector("yunet").detect(frames[0].image)) == faces


def test_each_number_of_faces_and_cores_has_a_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cores, "FRAMES", 4)
    assert cores.main(["--rounds", "2", "--cores", "1", "2", "--workers", "0"]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:] if line]
    names = ["1", "2", "1, inferences alone", "2, inferences alone"]
    assert [(row[0].strip("| "), row[1]) for row in rows] == [(faces, name) for faces in "124" for name in names]
    assert all(float(row[2]) > 0 for row in rows)


def test_the_peer_stands_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read the same frames with a Python that has fer; here, a package of that name that answers at once."""
    (tmp_path / "fer").mkdir()
    (tmp_path / "fer" / "fer.py").write_text("class FER:\n    __init__ = detect_emotions = lambda *_, **__: None\n")
    (tmp_path / "fer" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(cores, "FRAMES", 8)
    assert cores.main(["--rounds", "2", "--cores", "1", "--workers", "0", "--peer", sys.executable]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:] if line]
    assert [row[1] for row in rows] == ["1", "1, inferences alone", cores.PEER] * len(cores.GRIDS)
    assert all(float(row[2]) > 0 for row in rows)


def test_workers_stand_beside_processes_without_dask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    for file in Path("edge/assets").glob("*.jpg"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(cores, "FRAMES", 4)
    monkeypatch.setattr(cores, "PICTURES", 4)
    assert cores.main(["--rounds", "1", "--cores", "1", "--workers", "1", "--pictures", str(tmp_path)]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line]
    start = next(i for i, row in enumerate(rows) if row[0] == "workers")
    assert [row[0] for row in rows[start + 2 :]] == [cores.ONE_PROCESS, "1", "1, without Dask"]
    assert all(float(row[1]) > 0 for row in rows[start + 2 :])

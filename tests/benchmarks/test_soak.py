"""Specify the soak: a short form of it, on a camera that is silent, killed and changed in resolution."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import soak
from benchmarks.measure.camera import CODES, FPS, age_s, write_number
from edge.sources.demo import demo_images


@pytest.mark.parametrize("age_frames", [0, 1, CODES - 1])
def test_the_age_of_a_picture_is_read_from_its_pixels(age_frames: int) -> None:
    image = next(demo_images(1)).copy()
    write_number(image, (1000 - age_frames) % CODES)
    assert age_s(image, 1000 / FPS) == pytest.approx(age_frames / FPS)


@pytest.mark.slow
def test_nothing_grows_while_the_camera_fails(tmp_path: Path) -> None:
    assert soak.main(["--minutes", "0.2", "--cycle", "8", "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "soak.json").read_text())
    assert result["outages"] >= 1
    assert result["lines"] > result["frames"] > 0
    assert result["broken_lines"] == 0
    first, *_, last = (sample for sample in result["samples"] if sample["fps"])
    assert last["open_files"] <= first["open_files"] + 2, "two descriptors of a new connection"
    assert last["threads"] <= first["threads"] + 2
    assert last["rss_mb"] < first["rss_mb"] + 60
    assert (tmp_path / "soak.png").stat().st_size > 10_000

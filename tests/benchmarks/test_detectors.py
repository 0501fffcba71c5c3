"""Check that the benchmark measures every detector of edge.detector's table that works on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.measure.clip import read_clip
from benchmarks.measure.detectors import open_detectors
from benchmarks.measure.models import open_models
from benchmarks.measure.pipeline import measure_case
from benchmarks.measure.suite import Inputs, list_cases
from benchmarks.options import parse_args
from edge import detector as registry
from edge.backend import SHIPPED
from edge.detectors.base import Detector
from edge.errors import MissingExtra, ModelError, UsageError
from edge.values import Box, Face


class Toy(Detector):
    """Find one face in the centre. A file whose name begins with `toy` is its model."""

    name = "toy"

    def __init__(self, model: Path | None = None) -> None:
        if model and not model.name.startswith("toy"):
            raise ModelError(f"expected a toy model, found {model}")
        self.model = model
        self.invoke = lambda image: [image.shape]

    def detect(self, image: np.ndarray, smallest: float | None = None) -> list[Face]:
        ((height, width, _),) = self.invoke(image)
        return [Face(Box(width // 4, height // 4, height // 2, height // 2))]


class NoModel(Toy):
    name = "nomodel"

    def __init__(self, model: Path | None = None) -> None:
        super().__init__()
        if model:
            raise UsageError("expected no model")


class Missing:
    def __init__(self, model: Path | None = None) -> None:
        raise MissingExtra("mtcnn", "mtcnn")


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"toy": f"{__name__}:Toy", "missing": f"{__name__}:Missing", "nomodel": f"{__name__}:NoModel"}
    monkeypatch.setattr(registry, "DETECTORS", rows)


def names(**options: Any) -> list[str]:
    return [detector.name for detector in open_detectors(**options)]


def test_detectors_that_do_not_work_here_are_left_out_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    assert names() == ["toy", "nomodel"]
    assert "left out: detector missing: needs mtcnn" in capsys.readouterr().err


def test_a_named_detector_must_work() -> None:
    assert names(names=["nomodel"]) == ["nomodel"]
    with pytest.raises(MissingExtra, match="mtcnn"):
        open_detectors(names=["missing"])


def test_the_model_goes_to_the_detector_that_can_use_it() -> None:
    toy, nomodel = open_detectors(Path("toy.onnx"))
    assert isinstance(toy, Toy)
    assert toy.model == Path("toy.onnx")
    assert nomodel.name == "nomodel"


def test_a_model_for_no_detector_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"found other\.onnx \(toy: expected a toy model"):
        open_detectors(Path("other.onnx"))


def test_no_detector_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DETECTORS", {"missing": f"{__name__}:Missing"})
    with pytest.raises(ModelError, match="expected a detector that works here, found none"):
        open_detectors()


def test_a_new_row_is_measured_without_further_edits(tmp_path: Path) -> None:
    options = parse_args("", ["--out", str(tmp_path), "--resolutions", "320x240", "--detectors", "toy"])
    clip = read_clip("demo", 10)
    inputs = Inputs(open_models([SHIPPED]), open_detectors(None, options.detectors), clip, None, None)
    one_face, four_faces = list_cases(options, inputs, deploy=0)
    assert (one_face.info.detector, one_face.info.scene, four_faces.info.scene) == ("toy", 1, 4)
    result = measure_case(one_face, clip, passes=2, time_peer=None)
    assert result.case == one_face.info
    assert result.limit_ratio.value > 0
    assert result.live.frames + result.live.dropped == 10

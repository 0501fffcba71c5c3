"""Test the detectors on real faces: the demo's portrait everywhere, photographs where ../shared has them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edge.detector import DETECTORS, open_detector
from edge.detectors import blazeface_model, yunet
from edge.detectors.base import Crop, Detector
from edge.detectors.blazeface import BlazeFace, merge
from edge.errors import EmotionError, MissingExtra, ModelError, UsageError
from edge.opencv import cv2
from edge.sources.demo import PHOTOGRAPH, demo_images
from edge.values import Box
from tests.conftest import ROOT, SHARED, shared

MODEL = "models/blaze_face_short_range.tflite"
BY_MEDIAPIPE = json.loads(Path(__file__).with_name("mediapipe_boxes.json").read_text())  # mediapipe 1.2.2
FACE = Box(172, 62, 102, 102)  # in the photograph of the demo, by eye


@pytest.fixture(params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe", reason="the mediapipe package is not installed")
    opened = open_detector(request.param, None if request.param in ("haar", "yunet") else shared(MODEL))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return cv2.imread(str(PHOTOGRAPH))


@pytest.mark.parametrize("width", [160, 320, 640, 1280, 3840])
def test_it_finds_the_face_at_every_size(detector: Detector, photograph: np.ndarray, width: int) -> None:
    picture = cv2.resize(photograph[:384], (width, round(width * 0.75)), interpolation=cv2.INTER_AREA)
    across = picture.shape[1] / 512
    down = picture.shape[0] / 384
    expected = Box(round(FACE.x * across), round(FACE.y * down), round(102 * across), round(102 * down))
    assert detector.detect(picture)[0].box.iou(expected) > 0.6


def test_a_grey_picture_gives_what_a_coloured_one_does(detector: Detector, photograph: np.ndarray) -> None:
    grey = cv2.cvtColor(photograph, cv2.COLOR_BGR2GRAY)
    faces = detector.detect(grey)
    assert faces == detector.detect(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    assert faces[0].box.iou(FACE) > 0.6


@pytest.mark.parametrize("value", [0, 127, 255])
@pytest.mark.parametrize("shape", [(480, 640, 3), (1, 1, 3), (4, 900, 3), (31, 17)])
def test_there_is_no_face_where_nothing_is(detector: Detector, shape: tuple[int, ...], value: int) -> None:
    assert detector.detect(np.full(shape, value, np.uint8)) == []


def test_yunet_finds_no_face_in_narrow_pictures() -> None:
    """Detect in pictures for some of which OpenCV itself returns boxes of infinite size."""
    detector = open_detector("yunet")
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = (*rng.permutation([rng.integers(10, 33), rng.integers(10, 300)]), 3)
        assert detector.detect(rng.integers(0, 256, shape, dtype=np.uint8)) == []


def test_the_largest_face_comes_first(detector: Detector, photograph: np.ndarray) -> None:
    small = cv2.resize(photograph[20:200, 130:310], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    canvas = np.full((360, 480, 3), 90, np.uint8)
    canvas[20 : 20 + small.shape[0], 20 : 20 + small.shape[1]] = small
    canvas[120:300, 250:430] = photograph[20:200, 130:310]
    faces = detector.detect(canvas)
    assert len(faces) == 2
    assert faces[0].box.width > faces[1].box.width


@pytest.mark.parametrize("name", BY_MEDIAPIPE)
def test_our_blazeface_is_mediapipes(name: str) -> None:
    picture = cv2.imread(str(shared(name) if name.startswith("media") else ROOT / name))
    boxes, scores = BlazeFace(shared(MODEL)).boxes(picture)
    expected = np.array(BY_MEDIAPIPE[name]).reshape(-1, 5)  # its own boxes are cut to whole pixels
    assert len(boxes) == len(expected)
    ours = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    assert np.abs(ours - expected[:, :4]).max(initial=0) < max(2, max(picture.shape) / 500)
    assert np.abs(scores - expected[:, 4]).max(initial=0) < 0.01


def test_the_official_package_agrees_in_this_very_run() -> None:
    pytest.importorskip("mediapipe", reason="the mediapipe package is not installed")
    ours, theirs = (open_detector(name, shared(MODEL)) for name in ("blazeface", "mediapipe"))
    for picture in demo_images(20):
        one = ours.detect(picture)
        other = theirs.detect(picture)
        assert len(one) == len(other) == 1
        for side in ("x", "y", "width", "height"):
            assert abs(getattr(one[0].box, side) - getattr(other[0].box, side)) <= 2
    theirs.close()


def test_overlapping_boxes_become_their_mean_by_score() -> None:
    boxes = np.array([[0, 0, 10, 10], [100, 0, 110, 10], [0, 2, 10, 12]], np.float32)
    faces, scores = merge(boxes, np.array([0.6, 0.7, 0.9], np.float32))
    assert scores.tolist() == pytest.approx([0.9, 0.7])
    assert faces[0].tolist() == pytest.approx([0, 1.2, 10, 11.2])  # (0.6 * 0 + 0.9 * 2) / 1.5
    assert faces[1].tolist() == [100, 0, 110, 10]


def test_no_box_is_no_face() -> None:
    faces, scores = merge(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    assert (faces.shape, scores.shape) == ((0, 4), (0,))


def test_a_crop_maps_a_detectors_box_to_a_square() -> None:
    assert Crop(scale=1.16, down=-0.04).face(100, 100, 100, 100).box == Box(92, 88, 116, 116)
    assert Crop(scale=1.0).face(10, 20, 30, 120).box == Box(-5, 50, 60, 60), "as large as the root of the box's area"


def test_auto_is_the_shipped_detector() -> None:
    assert open_detector("auto").name == "yunet"
    assert open_detector("auto", shared(MODEL)).name == "blazeface"


def test_auto_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("edge.detectors.yunet.MODEL", ROOT / "missing.onnx")
    assert open_detector("auto").name == "haar"
    assert "yunet cannot run here (no model at" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.onnx", "missing.tflite"])
def test_auto_does_not_fall_back_from_a_named_file(name: str) -> None:
    with pytest.raises(ModelError, match=f"at {name}; check the path"):
        open_detector("auto", Path(name))


def test_the_shipped_yunet_is_opencvs(tmp_path: Path) -> None:
    digest = hashlib.sha256(yunet.MODEL.read_bytes()).hexdigest()
    assert digest == "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
    assert digest in yunet.MODEL.with_name("NOTICE.md").read_text()


def test_a_smaller_face_is_found_when_it_is_asked_for(photograph: np.ndarray) -> None:
    """Detect a face of 20 pixels in a picture of 1920."""
    canvas = np.full((1080, 1920, 3), 128, np.uint8)
    canvas[:102, :102] = cv2.resize(photograph, (102, 102), interpolation=cv2.INTER_AREA)
    detector = open_detector("yunet")
    assert detector.detect(canvas, smallest=300) == []
    (face,) = detector.detect(canvas, smallest=16)
    assert face.box.iou(Box(34, 12, 20, 20)) > 0.3


def test_a_face_that_fills_the_picture_is_found(detector: Detector, photograph: np.ndarray) -> None:
    """Detect faces cut as closely as web pictures and FER-2013's; the cascade needs a border around them."""
    if detector.name in ("blazeface", "mediapipe"):
        pytest.skip("BlazeFace sees half of them")
    assert len(detector.detect(photograph[50:185, 155:290])) == 1


@pytest.mark.parametrize("margin", [8, 10, 12, 14, 16])  # 10 needs the wide border, 14 and 16 the coarse search too
def test_a_face_that_the_edges_cut_through_is_found(detector: Detector, photograph: np.ndarray, margin: int) -> None:
    if detector.name in ("blazeface", "mediapipe"):
        pytest.skip("BlazeFace sees half of them")
    rows = slice(FACE.y + margin, FACE.y + FACE.height - margin)
    columns = slice(FACE.x + margin, FACE.x + FACE.width - margin)
    (face,) = detector.detect(photograph[rows, columns])
    assert face.box.iou(Box(-margin, -margin, FACE.width, FACE.height)) > 0.5


def test_an_empty_cache_setting_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert blazeface_model.cache_path().is_absolute()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder on this machine; yield the address and the folder that it serves."""
    (tmp_path / "home").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "home"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", tmp_path / "home"
        server.shutdown()


def test_the_model_is_fetched_once_and_only_the_right_one(
    home: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pooch", reason="pooch is not installed")
    url, folder = home
    (folder / "blaze.tflite").write_bytes(b"a model")
    monkeypatch.setattr(blazeface_model, "URL", f"{url}/blaze.tflite")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="cannot download"):
        blazeface_model.fetch_model()
    assert not blazeface_model.cache_path().exists()
    monkeypatch.setattr(blazeface_model, "SHA256", hashlib.sha256(b"a model").hexdigest())
    assert blazeface_model.fetch_model().read_bytes() == b"a model"
    (folder / "blaze.tflite").unlink()
    assert blazeface_model.fetch_model() == blazeface_model.cache_path()
    assert "SHA256" not in capfd.readouterr().err  # pooch prints much


def test_a_model_that_cannot_be_had_says_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(blazeface_model, "URL", "http://127.0.0.1:9/blaze.tflite")
    with pytest.raises((ModelError, MissingExtra), match="--detector-model FILE"):
        open_detector("blazeface")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_a_detector_model_that_is_not_the_known_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Change a byte of a text inside: the network is the same, the file is not."""
    open_detector("yunet", yunet.MODEL)
    assert capsys.readouterr().err == ""
    other = tmp_path / "other.onnx"
    other.write_bytes(yunet.MODEL.read_bytes().replace(b"pytorch", b"pyt0rch", 1))
    open_detector("yunet", other)
    assert "other.onnx is an unknown model" in capsys.readouterr().err
    monkeypatch.setattr(yunet, "MODEL", other)
    with pytest.raises(ModelError, match=r"damaged model .*other\.onnx"):
        open_detector("yunet")
    assert open_detector().name == "haar"
    assert "damaged model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("haar", ROOT / "README.md", "haar needs no model file"),
        ("yunet", ROOT / "README.md", "expected a YuNet model"),
        ("yunet", ROOT / "none.onnx", "no model at"),
        ("blazeface", ROOT / "README.md", "cannot load"),
        ("blazeface", ROOT / "edge" / "models" / "emotion_int8.tflite", "another network"),
        ("blazeface", ROOT / "none.tflite", "no model at"),
    ],
)
def test_a_wrong_model_is_refused(name: str, model: Path, expected: str) -> None:
    with pytest.raises(EmotionError, match=expected) as caught:
        open_detector(name, model)
    assert isinstance(caught.value, (UsageError, ModelError))


def test_every_photograph_without_a_face_is_nearly_free_of_them(detector: Detector) -> None:
    """Allow a few false alarms: BlazeFace accepts some animals, a cascade some stones."""
    shared("media/nofaces")
    pictures = [cv2.imread(str(file)) for file in sorted((SHARED / "media" / "nofaces").iterdir())]
    assert sum(bool(detector.detect(picture)) for picture in pictures if picture is not None) <= 6

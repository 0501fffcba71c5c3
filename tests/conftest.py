"""Provide what tests share: real faces if ../shared has them, drawn ones everywhere, and a small trained model."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from edge.labels import EMOTIONS
from edge.opencv import cv2

ROOT = Path(__file__).resolve().parents[1]
TINY_EPOCHS = 6
SHARED = ROOT.parent / "shared"
TRAINING_FACES_KEPT = 60  # of each emotion, by public_test
SLOW_FIXTURES = {"exported", "public_test", "tiny_run"}


@pytest.hookimpl(tryfirst=True)  # before pytest selects tests by their markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that need a trained or exported model, or the whole data set, as slow; fuzz only by `-m fuzz`.

    Of several processes, one runs all of these, so that their fixtures are made once; each other file is run by one.
    """
    if "fuzz" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("fuzz") is None]
    for item in items:
        is_slow = not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("slow fixtures" if is_slow else item.path.name))
        if is_slow:
            item.add_marker("slow")


def shared(name: str) -> Path:
    """Return a path below ../shared; skip the test if it is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name} of the data next to the checkout, which a plain clone does not have")
    return path


@pytest.fixture(scope="session")
def public_test(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with FER-2013's PublicTest faces and some of Training's."""
    folder = tmp_path_factory.mktemp("fer2013")
    counts: dict[str, int] = {}
    with tarfile.open(shared("data/fer2013.tar.xz")) as archive:
        for member in archive:
            parent = str(Path(member.name).parent)
            counts[parent] = counts.get(parent, 0) + 1
            if member.isfile() and ("/test/" in member.name or counts[parent] <= TRAINING_FACES_KEPT):
                archive.extract(member, folder, filter="data")
    return folder / "fer2013"


def drawn_face(label: int, seed: int) -> np.ndarray:
    """Return a 48x48 grey image whose strokes show its label by number and place: easy to learn, no face."""
    rng = np.random.default_rng([label, seed])
    image = rng.normal(120, 12, (48, 48)).clip(0, 255).astype(np.uint8)
    for stroke in range(label + 1):
        cv2.line(image, (6, 6 + 6 * stroke), (41, 6 + 6 * stroke), 0 if stroke % 2 else 255, 2)
    return image


def draw_data_set(folder: Path, train: int = 32, public: int = 4) -> Path:
    """Write class folders with this many drawn faces of each emotion, and return their root."""
    for split, prefix, count in (("train", "Training", train), ("test", "PublicTest", public)):
        for label, emotion in enumerate(EMOTIONS):
            class_folder = folder / split / emotion
            class_folder.mkdir(parents=True)
            for i in range(count):
                seed = i if split == "train" else 1000 + i
                cv2.imwrite(str(class_folder / f"{prefix}_{100 * label + i}.png"), drawn_face(label, seed))
    return folder


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data set of drawn faces: 32 training faces and 4 PublicTest faces of each emotion."""
    return draw_data_set(tmp_path_factory.mktemp("drawn") / "data")


@pytest.fixture(scope="session")
def tiny_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished run on drawn faces at 32 pixels, from scratch."""
    from train.__main__ import main

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main([*tiny_arguments(drawn_data), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def exported(tiny_run: Path, drawn_data: Path) -> dict[str, Path]:
    """Return the tiny run's exported files in every format and precision, by name."""
    from export import onnx, tflite

    common = ["--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "--calibration-faces", "84"]
    for module in (tflite, onnx):
        assert module.main(["--all", *common]) == 0
    files = [file for file in tiny_run.iterdir() if file.suffix in (".tflite", ".onnx")]
    return {file.name: file for file in files}


def tiny_arguments(data: Path) -> list[str]:
    """Return the arguments of `python -m train` for a run of seconds."""
    arguments = (
        f"--arch cnn --weights none --size 32 --epochs {TINY_EPOCHS} --head-epochs 2 "
        "--batch-size 16 --mix 0.3 --ema 0.1 --validation held-out"
    )
    return ["--data", str(data), *arguments.split()]

"""What the tests share: real faces where ../shared has them, drawn ones everywhere, and the shipped model."""

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


def shared(name: str) -> Path:
    """A path below ../shared; skips the test where it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {name} of the data beside the checkout, which a plain clone does not have")
    return path


@pytest.fixture(scope="session")
def public_test(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER-2013's PublicTest faces and some of Training's, unpacked."""
    folder = tmp_path_factory.mktemp("fer2013")
    counts: dict[str, int] = {}
    with tarfile.open(shared("data/fer2013.tar.xz")) as archive:
        for member in archive:
            parent = str(Path(member.name).parent)
            counts[parent] = counts.get(parent, 0) + 1
            if member.isfile() and ("/test/" in member.name or counts[parent] <= 60):
                archive.extract(member, folder, filter="data")
    return folder / "fer2013"


def drawn_face(label: int, seed: int) -> np.ndarray:
    """A 48x48 grey picture that tells its label by the number and place of its strokes: quick to learn, no face."""
    rng = np.random.default_rng([label, seed])
    image = rng.normal(120, 12, (48, 48)).clip(0, 255).astype(np.uint8)
    for stroke in range(label + 1):
        cv2.line(image, (6, 6 + 6 * stroke), (41, 6 + 6 * stroke), 0 if stroke % 2 else 255, 2)
    return image


def draw_data_set(folder: Path, train: int = 32, public: int = 4) -> Path:
    """Class folders with so many drawn faces of each emotion."""
    for split, prefix, count in (("train", "Training", train), ("test", "PublicTest", public)):
        for label, emotion in enumerate(EMOTIONS):
            place = folder / split / emotion
            place.mkdir(parents=True)
            for i in range(count):
                seed = i if split == "train" else 1000 + i
                cv2.imwrite(str(place / f"{prefix}_{100 * label + i}.png"), drawn_face(label, seed))
    return folder


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_data_set(tmp_path_factory.mktemp("drawn") / "data")


@pytest.fixture(scope="session")
def tiny_run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on drawn faces at 32 pixels, from scratch."""
    from train.__main__ import main

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert main([*tiny_arguments(drawn_data), "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def exported(tiny_run: Path, drawn_data: Path) -> dict[str, Path]:
    """The tiny run in every form."""
    from export import onnx, tflite

    common = ["--model", str(tiny_run / "model.keras"), "--data", str(drawn_data), "--calibration-faces", "84"]
    for module in (tflite, onnx):
        assert module.main(["--all", *common]) == 0
    files = [file for file in tiny_run.iterdir() if file.suffix in (".tflite", ".onnx")]
    return {file.name: file for file in files}


def tiny_arguments(data: Path) -> list[str]:
    arguments = (
        f"--arch cnn --weights none --size 32 --epochs {TINY_EPOCHS} --head-epochs 2 --batch 16 --mix 0.3 --average 0.1"
    )
    return ["--data", str(data), *arguments.split()]

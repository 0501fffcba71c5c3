"""Test faces that stay on disk: they are read as from an array, and memory does not grow with them."""

from __future__ import annotations

import errno
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import OutputError
from edge.labels import EMOTIONS
from export.calibrate import describe, sample
from train import duplicates, forms
from train.data import load, seen_in, stratified_folds, train_val_split
from train.duplicates import copied_from, near_duplicates
from train.layouts.base import Row
from train.layouts.folders import files_below
from train.store import Images, Mirrored, Pictures, Store, join, scratch_folder

ARRAY = np.random.default_rng(0).integers(0, 256, (30, 4, 6), np.uint8)
MASK = np.arange(30) % 3 == 1


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    store = Store((4, 6))
    positions = [store.append(image) for image in ARRAY]
    store.finish()
    return Pictures(store, np.array(positions))


@pytest.mark.parametrize(
    "use",
    [
        lambda images: images[3],
        lambda images: images[-1],
        lambda images: images[5:9],
        lambda images: images[::-7],
        lambda images: images[40:],
        lambda images: images[[7, 8, 9, 2, 2, 29, 0, 1]],
        lambda images: images[MASK],
        lambda images: images[np.array([[1, 2], [3, 0]])],
        lambda images: np.stack(list(images)),
        lambda images: images.take(np.flatnonzero(MASK), axis=0)[2:4],
        lambda images: images.take(np.array([9, 8]), axis=0).take(np.array([1]), axis=0)[:],
        lambda images: join([images.take(np.array([4, 5]), axis=0), images])[:3],
        lambda images: join([images, ARRAY])[28:32],
        lambda images: Mirrored(images)[1:3],
        lambda images: np.stack(list(Mirrored(images))),
        lambda images: np.asarray(images),
        lambda images: np.frombuffer(images.tobytes(), np.uint8),
        lambda images: np.array([len(images), len(Mirrored(images)), *images.shape]),
    ],
)
def test_pictures_on_disk_are_read_as_from_an_array(pictures: Pictures, use: Callable[[Images], Any]) -> None:
    np.testing.assert_array_equal(use(pictures), use(ARRAY), strict=True)


def test_faces_are_divided_alike_on_disk_and_in_memory(drawn_data: Path) -> None:
    faces = load(drawn_data)["train"]
    in_memory = replace(faces, images=faces.images[:])
    assert isinstance(faces.images, Pictures)
    assert (stratified_folds(faces) == stratified_folds(in_memory)).all()
    for own, other in zip(*(train_val_split({"train": each}, drawn_data) for each in (faces, in_memory)), strict=True):
        assert own.names == other.names
        assert describe(replace(own, split="train")) == describe(replace(other, split="train"))
    assert near_duplicates(faces) == near_duplicates(in_memory)


def test_memory_does_not_grow_with_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load, divide, compare and sample faces whose pixels have 2304 bytes each."""
    for name in ("BLOCK", "LARGE_BLOCK"):
        monkeypatch.setattr(duplicates, name, 64)
    monkeypatch.setattr("train.store.BLOCK", 64)
    peaks = []
    for count in (1000, 4000):
        monkeypatch.setattr(forms, "read", lambda path, request, count=count: rows(count))
        tracemalloc.start()
        training, validation = train_val_split(load(Path()), Path())
        assert len(training.images[np.random.default_rng(0).permutation(len(training))[:64]]) == 64
        assert not seen_in(validation, training).any()
        copied_from(validation.take(np.arange(64)), training)
        assert len(sample(training)) == 140
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 3000 < 600, "bytes a face: its name, label, position and digests"


def rows(count: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    for i in range(count):
        yield Row(rng.integers(0, 256, (48, 48), np.uint8), EMOTIONS[i % 7], f"Training_{i}.png", "train")


def test_the_order_of_files_is_that_of_their_paths(tmp_path: Path) -> None:
    for name in ("b/x", "b.d/x", "b/x.d/y", "b/x.c", "a", "b c/z", ".git/x", "__MACOSX/x", "b/.x", "é/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    (tmp_path / "b" / "self").symlink_to(tmp_path / "b" / "self")
    expected = ["a", "b c/z", "b.d/x", "b/self", "b/x", "b/x.c", "b/x.d/y", "é/x"]
    assert files_below(tmp_path) == sorted(expected, key=lambda path: path.split("/"))


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Full:
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert scratch_folder() == str(tmp_path)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: Full())
    with pytest.raises(OutputError, match=f"faces in {tmp_path}: No space left on device; set TMPDIR to a folder with"):
        Store((2, 2)).finish()

"""Read the clip that the pipeline is measured on, and cut its frames to a resolution and a number of faces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from benchmarks.results import ClipInfo
from edge.errors import SourceError
from edge.opencv import cv2
from edge.source import open_source
from edge.sources.base import Source
from edge.values import Frame, Image

MAX_SIDE = 640  # pixels; all frames are kept in memory
MAX_SECONDS = 10.0


class Clip(Source):
    """Play frames from memory, as a recorded source."""

    def __init__(self, name: str, frames: Sequence[Frame], fps: float) -> None:
        super().__init__(name)
        self.frames = frames
        self.fps = fps

    def images(self) -> Iterator[tuple[Image, str | None]]:
        return ((frame.image, None) for frame in self.frames)

    def describe(self) -> ClipInfo:
        digest = hashlib.sha256(b"".join(frame.image.tobytes() for frame in self.frames)).hexdigest()
        return ClipInfo(self.name, len(self.frames), self.fps, digest)


def read_clip(source: str, max_frames: int | None = None) -> Clip:
    """Read the first ten seconds of a clip, at most `max_frames`, shrunk to at most MAX_SIDE pixels.

    Raises SourceError unless `source` is a recording with frames.
    """
    frames = []
    with open_source(source) as opened:
        if opened.live or opened.independent:
            raise SourceError(f"expected a clip or demo to measure on, found {source}")
        count = round(MAX_SECONDS * opened.fps)
        for frame in islice(opened, min(count, max_frames or count)):
            scale = min(1.0, MAX_SIDE / max(frame.image.shape[:2]))
            image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            frames.append(Frame(frame.index, frame.time_s, 0.0, image))
        if not frames:
            raise SourceError(f"expected a clip with frames, found none in {source}")
        return Clip(source, frames, opened.fps)


def cut_frames(clip: Clip, resolution: tuple[int, int], faces: int) -> list[Frame]:
    """Return the clip's frames at a resolution (width, height), with one face or with four."""
    images = [frame.image for frame in clip.frames]
    cut = [_single(images, i, resolution) if faces == 1 else _mosaic(images, i, resolution) for i in range(len(images))]
    return [Frame(i, i / clip.fps, 0.0, image) for i, image in enumerate(cut)]


def _single(images: Sequence[Image], i: int, resolution: tuple[int, int]) -> Image:
    return _crop_centre(images[i], *resolution)


def _mosaic(images: Sequence[Image], i: int, resolution: tuple[int, int]) -> Image:
    """Return four moments of the clip in a two by two grid."""
    width, height = resolution
    moments = [(i + part * len(images) // 4) % len(images) for part in range(4)]
    parts = [_crop_centre(images[moment], width // 2, height // 2) for moment in moments]
    return np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])


def _crop_centre(image: Image, width: int, height: int) -> Image:
    """Crop the centre to the shape of width by height, and resize it to that size."""
    scale = max(width / image.shape[1], height / image.shape[0])
    crop_width = round(width / scale)
    crop_height = round(height / scale)
    left = (image.shape[1] - crop_width) // 2
    top = (image.shape[0] - crop_height) // 2
    part = image[top : top + crop_height, left : left + crop_width]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)

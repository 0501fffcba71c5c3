"""Detect faces with MediaPipe's BlazeFace (short range), run by the classifier's own interpreter.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The anchors, the
sampling and the weighted suppression are those of MediaPipe's face detection graph: the boxes agree to a pixel. The
network sees 128 x 128 pixels, so it misses faces narrower than a tenth of the image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge.backends.litert import open_interpreter
from edge.detectors.base import MAX_IOU, Crop, Detector, largest_first, read_model, warn_of_unknown
from edge.detectors.blazeface_model import SHA256, URL, fetch_model
from edge.errors import ModelError
from edge.opencv import cv2
from edge.values import Face, Floats, Image

SIDE = 128  # pixels of the network's input
GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell
MIN_SCORE = 0.5
CROP = Crop(scale=0.95, down=-0.08)


class BlazeFace(Detector):
    """Run one interpreter with its tensors allocated."""

    name = "blazeface"
    detect_interval = 5

    def __init__(self, model: Path | None = None) -> None:
        path = model or fetch_model()
        content = read_model(model, path, SHA256)
        _, self._interpreter = open_interpreter(content, path, threads=1)
        inputs = self._interpreter.get_input_details()
        outputs = {tuple(item["shape"]): item["index"] for item in self._interpreter.get_output_details()}
        count = sum(cells * cells * anchors for cells, anchors in GRIDS)
        regressors = (1, count, 16)
        scores = (1, count, 1)
        if tuple(inputs[0]["shape"]) != (1, SIDE, SIDE, 3) or {regressors, scores} - set(outputs):
            raise ModelError(f"expected BlazeFace's short-range model, found another network in {path}; see {URL}")
        warn_of_unknown(model, content, SHA256)
        self._pixels = self._interpreter.tensor(inputs[0]["index"])
        self._regressors = outputs[regressors]
        self._scores = outputs[scores]
        self._anchors = _anchors()
        self.invoke = self._interpreter.invoke

    def detect(self, image: Image, smallest: float | None = None) -> list[Face]:
        """Return all faces, largest first; see Detector. The network has one resolution: `smallest` changes nothing."""
        boxes, scores = self.boxes(image)
        lefts_tops = boxes[:, :2]
        sizes = boxes[:, 2:] - lefts_tops
        rows = np.column_stack([lefts_tops, sizes, scores]).tolist()
        return largest_first(CROP.face(*row) for row in rows)

    def boxes(self, image: Image) -> tuple[Floats, Floats]:
        """Return MediaPipe's own boxes [n, 4] (left, top, right, bottom in pixels of the image) and scores [n]."""
        height, width = image.shape[:2]
        scale = SIDE / max(height, width)
        left = (SIDE - width * scale) / 2
        top = (SIDE - height * scale) / 2
        transform = np.array([[scale, 0, left], [0, scale, top]])
        small = cv2.warpAffine(image, transform, (SIDE, SIDE), flags=cv2.INTER_LINEAR)  # as MediaPipe samples
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB)
        pixels = self._pixels()[0]  # a view into the network, which must be gone at invoke
        np.multiply(rgb, np.float32(1 / 127.5), out=pixels)
        np.subtract(pixels, np.float32(1), out=pixels)
        del pixels
        self.invoke()
        logits = self._interpreter.get_tensor(self._scores)[0, :, 0]
        indices = np.flatnonzero(logits >= np.log(MIN_SCORE / (1 - MIN_SCORE)))
        boxes = _decode(self._interpreter.get_tensor(self._regressors)[0, indices, :4], self._anchors[indices])
        boxes, scores = merge(boxes, 1 / (1 + np.exp(-logits[indices])))
        return (boxes - np.array([left, top, left, top], np.float32)) / np.float32(scale), scores


def merge(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Suppress overlapping boxes: a face is the mean, weighted by score, of the boxes that overlap its best one.

    `boxes` is [n, 4] (left, top, right, bottom), `scores` [n]; returns one row of each for every face, best first.
    """
    faces = []
    best = []
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    scores = scores[order]
    while len(boxes):
        same = _iou(boxes) > MAX_IOU
        same[0] = True  # even if its area is 0
        weights = scores[same]
        faces.append(weights @ boxes[same] / weights.sum())
        best.append(scores[0])
        boxes = boxes[~same]
        scores = scores[~same]
    return np.array(faces, np.float32).reshape(-1, 4), np.array(best, np.float32)


def _iou(boxes: Floats) -> Floats:
    """Return the intersection over union of the first box with each of [n, 4]."""
    box = boxes[0]
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    overlap = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return overlap / np.maximum(areas[0] + areas - overlap, np.float32(1e-9))


def _decode(regressors: Floats, anchors: Floats) -> Floats:
    """Decode centre offsets and sizes [n, 4] to boxes [n, 4], in pixels of the network's input."""
    centres = regressors[:, :2] + anchors
    halves = regressors[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _anchors() -> Floats:
    """Return the centres [896, 2] (x, y) of the anchors in the order of the outputs, in pixels of the input."""
    centres = []
    for cells, anchors in GRIDS:
        at = (np.arange(cells, dtype=np.float32) + 0.5) * SIDE / cells
        grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, anchors, axis=0))
    return np.concatenate(centres)

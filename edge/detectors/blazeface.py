"""MediaPipe's BlazeFace (short range), run by the same interpreter as the classifier, without the mediapipe package.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019; the anchors, the
sampling and the weighted suppression are those of MediaPipe's face detection graph, with which the boxes agree to a
pixel. It sees the whole picture at 128 x 128 pixels: faces narrower than a tenth of the picture escape it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.backends.litert import open_interpreter
from edge.detectors.base import largest_first
from edge.detectors.blazeface_model import URL, model_file
from edge.errors import ModelError
from edge.opencv import cv2
from edge.values import Box, Face, Floats, Image

SIDE = 128  # pixels of the network's input
GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell
MIN_SCORE = 0.5
SAME_IOU = 0.3  # boxes that overlap more are one face

# From BlazeFace's square to FER-2013's: on 3,499 PublicTest faces with their border drawn out, the median BlazeFace
# square is 0.86 as wide as the FER-2013 picture, its centre 0.06 of it lower. Moving up by all of that costs accuracy
# (a lost chin weighs more than a lost forehead): from 0 to 0.05 there is no difference, beyond there is.
FACE_WIDTH = 1.16
FACE_UP = 0.04  # of BlazeFace's width


class BlazeFace:
    """One interpreter with its tensors allocated."""

    name = "blazeface"
    detect_interval = 5
    cores = 1

    def __init__(self, model: Path | None = None) -> None:
        path = model or model_file()
        _, self._interpreter = open_interpreter(path, threads=1)
        given = self._interpreter.get_input_details()
        taken = {tuple(item["shape"]): item["index"] for item in self._interpreter.get_output_details()}
        count = sum(cells * cells * anchors for cells, anchors in GRIDS)
        regressors, scores = (1, count, 16), (1, count, 1)
        if tuple(given[0]["shape"]) != (1, SIDE, SIDE, 3) or {regressors, scores} - set(taken):
            raise ModelError(f"expected BlazeFace's short-range model, found another network in {path}; see {URL}")
        self._pixels = self._interpreter.tensor(given[0]["index"])
        self._regressors, self._scores = taken[regressors], taken[scores]
        self._anchors = _anchors()
        self.invoke = self._interpreter.invoke

    def detect(self, image: Image) -> list[Face]:
        """Faces in a [height, width, 3] BGR or [height, width] grey picture, largest first, boxes in its pixels."""
        boxes, scores = self.boxes(image)
        return largest_first(map(fer_face, boxes.tolist(), scores.tolist()))

    def close(self) -> None:
        """Nothing to let go of."""

    def boxes(self, image: Image) -> tuple[Floats, Floats]:
        """MediaPipe's own boxes [n, 4] (left, top, right, bottom in the picture's pixels) and scores [n]."""
        height, width = image.shape[:2]
        scale = SIDE / max(height, width)
        left, top = (SIDE - width * scale) / 2, (SIDE - height * scale) / 2
        place = np.array([[scale, 0, left], [0, scale, top]])
        small = cv2.warpAffine(image, place, (SIDE, SIDE), flags=cv2.INTER_LINEAR)  # as MediaPipe samples
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB)
        pixels = self._pixels()[0]  # a view into the network: not kept, since it must be gone at invoke
        np.multiply(rgb, np.float32(1 / 127.5), out=pixels)
        np.subtract(pixels, np.float32(1), out=pixels)
        del pixels
        self.invoke()
        logits = self._interpreter.get_tensor(self._scores)[0, :, 0]
        seen = np.flatnonzero(logits >= np.log(MIN_SCORE / (1 - MIN_SCORE)))
        boxes = _decode(self._interpreter.get_tensor(self._regressors)[0, seen, :4], self._anchors[seen])
        boxes, scores = merge(boxes, 1 / (1 + np.exp(-logits[seen])))
        return (boxes - np.array([left, top, left, top], np.float32)) / np.float32(scale), scores


def fer_face(box: Sequence[float], score: float) -> Face:
    """BlazeFace's square (left, top, right, bottom in pixels) as the square that FER-2013 would have cut out."""
    left, top, right, bottom = box
    width = right - left
    side = max(1, round(width * FACE_WIDTH))
    x = (left + right) / 2 - side / 2
    y = (top + bottom) / 2 - side / 2 - width * FACE_UP
    return Face(Box(round(x), round(y), side, side), score)


def merge(boxes: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Weighted non-maximum suppression: a face is the mean, by score, of the boxes that overlap its best one.

    `boxes` [n, 4] (left, top, right, bottom), `scores` [n]; returns as much of each as there are faces, best first.
    """
    faces, best = [], []
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    while len(boxes):
        same = _iou(boxes) > SAME_IOU
        same[0] = True  # also where its area is nothing
        weights = scores[same]
        faces.append(weights @ boxes[same] / weights.sum())
        best.append(scores[0])
        boxes, scores = boxes[~same], scores[~same]
    return np.array(faces, np.float32).reshape(-1, 4), np.array(best, np.float32)


def _iou(boxes: Floats) -> Floats:
    """Intersection over union of the first box with each of [n, 4]."""
    box = boxes[0]
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    overlap = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return overlap / np.maximum(areas[0] + areas - overlap, np.float32(1e-9))


def _decode(regressors: Floats, anchors: Floats) -> Floats:
    """Centre offsets and sizes [n, 4] -> boxes [n, 4], in pixels of the network's input."""
    centres, halves = regressors[:, :2] + anchors, regressors[:, 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _anchors() -> Floats:
    """Centres [896, 2] (x, y) in pixels of the network's input, in the order of its outputs."""
    centres = []
    for cells, anchors in GRIDS:
        at = (np.arange(cells, dtype=np.float32) + 0.5) * SIDE / cells
        grid = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
        centres.append(np.repeat(grid, anchors, axis=0))
    return np.concatenate(centres)

"""Boxes over time -> stable ids, and as few full detections as that takes.

The full detector looks when no face is known, on every N-th frame, and when a known face is lost; on the frames
between, each known face is searched for in its surroundings only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from edge.detector import SAME_FACE_IOU, Detector
from edge.values import Box, Face, Image

KEPT_FRAMES = 15  # a face that the detector misses for this long keeps its id


class Tracker:
    """Gives each face the id of the track that it overlaps most, or a new one. Ids are never used twice."""

    def __init__(self, every: int = 1) -> None:
        self.every = every
        self.detections = 0  # full ones so far
        self._tracks: dict[int, tuple[Box, int]] = {}  # id -> last box, frames since it was seen
        self._next_id = 1
        self._frames_since = 0  # since the last full detection

    def find(self, detector: Detector, image: Image) -> list[Face]:
        """The faces of the next frame. Call it once a frame, then `update`."""
        seen = [box for box, age in self._tracks.values() if age == 0]
        self._frames_since += 1
        if seen and self._frames_since < self.every:
            found = [detector.near(image, box) for box in seen]
            faces = [face for face in found if face is not None]
            if len(faces) == len(seen) and not _any_same(faces):
                return faces
        self._frames_since = 0
        self.detections += 1
        return detector.detect(image)

    def update(self, faces: Sequence[Face]) -> list[int]:
        """The ids of these faces, in their order."""
        pairs = sorted(
            ((face.box.iou(box), i, id_) for i, face in enumerate(faces) for id_, (box, _) in self._tracks.items()),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )
        matched: dict[int, int] = {}
        for iou, i, id_ in pairs:
            if iou >= SAME_FACE_IOU and i not in matched and id_ not in matched.values():
                matched[i] = id_
        for i in range(len(faces)):
            if i not in matched:
                matched[i] = self._next_id
                self._next_id += 1
        aged = {id_: (box, age + 1) for id_, (box, age) in self._tracks.items() if age + 1 < KEPT_FRAMES}
        self._tracks = aged | {matched[i]: (face.box, 0) for i, face in enumerate(faces)}
        return [matched[i] for i in range(len(faces))]

    def known(self) -> set[int]:
        """The ids that may still come back."""
        return set(self._tracks)


def _any_same(faces: Sequence[Face]) -> bool:
    """Two searches that ended on one face: one of the two is lost."""
    return any(one.box.iou(other.box) >= SAME_FACE_IOU for one, other in combinations(faces, 2))

"""Boxes over time -> stable ids."""

from __future__ import annotations

from collections.abc import Sequence

from edge.values import Box, Face

SAME_FACE_IOU = 0.3
KEPT_FRAMES = 15  # a face that the detector misses for this long keeps its id


class Tracker:
    """Gives each face the id of the track that it overlaps most, or a new one. Ids are never used twice."""

    def __init__(self) -> None:
        self._tracks: dict[int, tuple[Box, int]] = {}  # id -> last box, frames since it was seen
        self._next_id = 1

    def update(self, faces: Sequence[Face]) -> list[int]:
        """The ids of these faces, in their order. Call it once a frame."""
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

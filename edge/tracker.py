"""Boxes over time -> stable ids, and as few detections as that takes.

The detector looks at the whole picture when no face is known, on every N-th frame, and when a known face is lost. On
the frames between, each face is searched for around its place by the picture it had when it was last detected
(normalized cross-correlation): 0.06 ms a face, where BlazeFace takes 1 and Haar 15. That picture is kept until the next
detection, so errors do not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from edge.detector import Detector
from edge.opencv import cv2
from edge.preprocess import shrunk
from edge.values import Face, Image

SAME_FACE_IOU = 0.3  # two boxes that overlap so much are one face
KEPT_FRAMES = 15  # a face that the detector misses for this long keeps its id
PATCH = 20  # pixels a side of the picture by which a face is known again
REACH = 32  # pixels a side of the surroundings at that scale: a face may move by 0.3 of its width a frame
ALIKE = 0.8  # correlation below which a face is lost, and the detector looks


@dataclass(frozen=True)
class Track:
    """A face as it was last seen, and its patch, grey [PATCH, PATCH], from its last detection."""

    face: Face
    patch: Image
    missed: int = 0  # frames since it was seen


class Tracker:
    """Gives each face the id of the track that it overlaps most, or a new one. Ids are never used twice.

    `every` frames the detector looks; 1: on each. Call `find` once a frame.
    """

    def __init__(self, detector: Detector, every: int | None = None) -> None:
        self.raw = cv2.matchTemplate  # the library call inside, which the benchmarks time alone
        self.detections = 0  # so far
        self._detector, self._every = detector, every or detector.every
        self._tracks: dict[int, Track] = {}
        self._next_id = 1
        self._frames_since = 0  # the last detection

    def find(self, image: Image) -> dict[int, Face]:
        """The faces of the next frame by their ids."""
        self._frames_since += 1
        seen = {id_: track for id_, track in self._tracks.items() if not track.missed}
        if not seen or self._frames_since >= self._every or not self._follow(image, seen):
            self._frames_since = 0
            self.detections += 1
            self._match(image, self._detector.detect(image))
        return {id_: track.face for id_, track in self._tracks.items() if not track.missed}

    def _follow(self, image: Image, seen: dict[int, Track]) -> bool:
        """Move the seen tracks to where their faces are now; False, and none moved, where one is lost."""
        moved = {id_: self._search(image, track) for id_, track in seen.items()}
        faces = {id_: face for id_, face in moved.items() if face is not None}
        if len(faces) < len(seen) or _any_same(list(faces.values())):
            return False
        self._advance({id_: replace(seen[id_], face=face) for id_, face in faces.items()})
        return True

    def _match(self, image: Image, faces: Sequence[Face]) -> None:
        """Give detected faces to the tracks that they overlap most, and open new tracks for the others."""
        pairs = sorted(
            (
                (face.box.iou(track.face.box), i, id_)
                for i, face in enumerate(faces)
                for id_, track in self._tracks.items()
            ),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )
        matched: dict[int, int] = {}
        for iou, i, id_ in pairs:
            if iou >= SAME_FACE_IOU and i not in matched and id_ not in matched.values():
                matched[i] = id_
        found = {}
        for i, face in enumerate(faces):
            if i not in matched:
                matched[i] = self._next_id
                self._next_id += 1
            patch = shrunk(image, face.box.centre, face.box.width, PATCH) if self._every > 1 else image[:0]
            found[matched[i]] = Track(face, patch)
        self._advance(found)

    def _search(self, image: Image, track: Track) -> Face | None:
        """The face near its last place, or None where nothing there looks like it."""
        box = track.face.box
        scale = box.width / PATCH  # pixels of the picture a pixel of the patch
        around = shrunk(image, box.centre, box.width * REACH / PATCH, REACH)
        _, alike, _, (x, y) = cv2.minMaxLoc(self.raw(around, track.patch, cv2.TM_CCOEFF_NORMED))
        if alike < ALIKE:
            return None
        home = (REACH - PATCH) / 2
        return replace(track.face, box=box.moved(round((x - home) * scale), round((y - home) * scale)))

    def _advance(self, seen: dict[int, Track]) -> None:
        """Go on with the tracks seen on this frame, and those that nobody has missed for too long."""
        missed = {
            id_: replace(track, missed=track.missed + 1)
            for id_, track in self._tracks.items()
            if id_ not in seen and track.missed + 1 < KEPT_FRAMES
        }
        self._tracks = missed | seen


def _any_same(faces: Sequence[Face]) -> bool:
    """Two searches that ended on one face: one of the two is lost."""
    return any(one.box.iou(other.box) >= SAME_FACE_IOU for one, other in combinations(faces, 2))

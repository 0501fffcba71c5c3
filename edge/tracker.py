"""Boxes over time -> stable ids, and as few detections as that takes.

The detector looks at the whole picture when no face is known, on every N-th frame, and when a known face is lost. On
the frames between, each face is searched for around its place by the picture it had when it was last detected
(normalized cross-correlation): 0.06 ms a face, where BlazeFace takes 1 and Haar 15. That picture is kept until the next
detection, so errors do not add up. One look of a detector may err: where it opens a track, or overlooks a face that
still looks as it did, it looks again on the next frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from edge.detectors.base import Detector
from edge.opencv import cv2
from edge.preprocess import shrunk
from edge.values import Face, Image

SAME_FACE_IOU = 0.3  # two boxes that overlap so much are one face
KEPT_FRAMES = 15  # a face that the detector misses for this long keeps its id
PATCH = 20  # pixels a side of the picture by which a face is known again
REACH = 32  # pixels a side of the surroundings at that scale: a face may move by 0.3 of its width a frame
ALIKE = 0.8  # correlation below which a face is lost, and the detector looks
# Correlation that a detected face must have with a track to be its next place. Measured on 13 clips: the same face in
# its next detections has more in 99 of 100 cases, another person's face in 5.
SAME_PERSON = 0.55


@dataclass(frozen=True)
class Track:
    """A face as it was last seen, and its patch, grey [PATCH, PATCH], from its last detection."""

    face: Face
    patch: Image
    overlooked: bool = False  # by the last detection, though it looks as before
    missed: int = 0  # frames since it was seen


class Tracker:
    """Gives each face the id of the track that it overlaps most, or a new one. Ids are never used twice.

    Detection runs at the latest every `detect_interval` frames; 1: on each. Call `find` once a frame.
    """

    def __init__(self, detector: Detector, detect_interval: int | None = None) -> None:
        self.detections = 0  # so far
        self._detector, self._detect_interval = detector, detect_interval or detector.detect_interval
        self._tracks: dict[int, Track] = {}
        self._next_id = 1
        self._frames_since = 0  # the last detection

    def find(self, image: Image) -> dict[int, Face]:
        """The faces of the next frame by their ids."""
        self._frames_since += 1
        seen = {id_: track for id_, track in self._tracks.items() if not track.missed}
        if not seen or self._frames_since >= self._detect_interval or not self._follow(image, seen):
            self.detections += 1
            sure = self._match(image, self._detector.detect(image), seen)
            self._frames_since = 0 if sure else self._detect_interval - 1
        return {id_: track.face for id_, track in self._tracks.items() if not track.missed}

    def _follow(self, image: Image, seen: dict[int, Track]) -> bool:
        """Move the seen tracks to where their faces are now; False, and none moved, where one is lost."""
        faces = {id_: self._search(image, track) for id_, track in seen.items()}
        moved = {id_: replace(seen[id_], face=face) for id_, face in faces.items() if face is not None}
        if len(moved) < len(seen) or _met(seen, moved):
            return False
        self._advance(moved)
        return True

    def _match(self, image: Image, faces: Sequence[Face], seen: dict[int, Track]) -> bool:
        """Give detected faces to their tracks, and open new tracks for the others; False where it should look again."""
        ids = self._ids(image, faces)
        opened = len(faces) - len(ids)
        found = {}
        for i, face in enumerate(faces):
            if i not in ids:
                ids[i] = self._next_id
                self._next_id += 1
            found[ids[i]] = Track(face, shrunk(image, face.box.centre, face.box.width, PATCH))
        overlooked = 0
        for id_, track in seen.items():
            face_there = (
                None if id_ in found or track.overlooked or self._detect_interval == 1 else self._search(image, track)
            )
            if face_there and not any(face_there.box.iou(face.box) >= SAME_FACE_IOU for face in faces):
                found[id_] = replace(track, face=face_there, overlooked=True)
                overlooked += 1
        self._advance(found)
        return not opened and not overlooked

    def _ids(self, image: Image, faces: Sequence[Face]) -> dict[int, int]:
        """Number of a face -> id of the track that it goes on: the one it overlaps most, if it looks like it."""
        pairs = [
            (face.box.iou(track.face.box), i, id_)
            for i, face in enumerate(faces)
            for id_, track in self._tracks.items()
        ]
        ids: dict[int, int] = {}
        for iou, i, id_ in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if iou >= SAME_FACE_IOU and i not in ids and id_ not in ids.values():
                at = replace(self._tracks[id_], face=faces[i])
                if self._search(image, at, SAME_PERSON):
                    ids[i] = id_
        return ids

    def _search(self, image: Image, track: Track, alike: float = ALIKE) -> Face | None:
        """The face near its last place, or None where nothing there looks like it."""
        box = track.face.box
        scale = box.width / PATCH  # pixels of the picture a pixel of the patch
        around = shrunk(image, box.centre, box.width * REACH / PATCH, REACH)
        _, found, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(around, track.patch, cv2.TM_CCOEFF_NORMED))
        if found < alike:
            return None
        home = (REACH - PATCH) / 2
        return Face(box.moved(round((x - home) * scale), round((y - home) * scale)), track.face.score)

    def _advance(self, seen: dict[int, Track]) -> None:
        """Go on with the tracks seen on this frame, and those that nobody has missed for too long."""
        missed = {
            id_: replace(track, missed=track.missed + 1)
            for id_, track in self._tracks.items()
            if id_ not in seen and track.missed + 1 < KEPT_FRAMES
        }
        self._tracks = missed | seen


def _met(before: dict[int, Track], after: dict[int, Track]) -> bool:
    """Two searches that ended on one face, and did not begin so: one of the two is lost."""
    return any(
        after[one].face.box.iou(after[other].face.box) >= SAME_FACE_IOU
        and before[one].face.box.iou(before[other].face.box) < SAME_FACE_IOU
        for one, other in combinations(after, 2)
    )

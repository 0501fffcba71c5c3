"""Track faces over time: stable ids, and as few detections as that takes.

Detection runs when no face is tracked, every N frames, or when a track is lost. On the frames between, each face is
searched for near its last place with the patch of its last detection (normalized cross-correlation): 0.06 ms a face.
The patch is kept until the next detection, so errors do not add up. A single detection may be wrong: when it opens a
track, or misses a face that still looks as before, detection runs again on the next frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from edge.detectors.base import Detector
from edge.opencv import cv2
from edge.preprocess import sample_patch
from edge.values import Face, Image

SAME_FACE_IOU = 0.3  # two boxes that overlap this much are one face
MAX_MISSED = 15  # frames: a face that is missed for less keeps its id
PATCH = 20  # pixels: the side of the patch of a tracked face
SEARCH = 32  # pixels: the side of the searched area at that scale, so a face may move by 0.3 of its width a frame
MIN_CORRELATION = 0.8  # below it a track is lost, and detection runs
# Correlation at which a detected face continues a track. Measured on 13 clips: the same face has more at its next
# detection in 99 of 100 cases, another person's face in 5.
SAME_PERSON = 0.55
# While faces are tracked, detection looks for faces of half the smallest one, or of this share of the longer side.
NEWCOMER = 1 / 16


class Track(NamedTuple):
    """Hold a face as it was last seen, and its patch, grey [PATCH, PATCH], from its last detection."""

    face: Face
    patch: Image
    undetected: bool = False  # the last detection missed it, though it looks as before
    missed: int = 0  # frames since it was last seen


class Tracker:
    """Give each face the id of the track that it overlaps most, or a new one. Ids are never used twice.

    Detection runs at the latest every `detect_interval` frames; 1: on each. `smallest` is the width in pixels of the
    smallest face to look for, None leaves it to the detector. Call `find` once a frame.
    """

    def __init__(self, detector: Detector, detect_interval: int | None = None, smallest: float | None = None) -> None:
        self.detections = 0  # so far
        self.thorough = False  # may be set: each detection looks for all faces, however large the tracked ones are
        self._detector = detector
        self._detect_interval = detect_interval or detector.detect_interval
        self._smallest = smallest
        self._tracks: dict[int, Track] = {}
        self._next_id = 1
        self._frames_since_detection = 0

    def find(self, image: Image) -> dict[int, Face]:
        """Return the faces of the next frame by id."""
        self._frames_since_detection += 1
        visible = {id_: track for id_, track in self._tracks.items() if not track.missed}
        due = self._frames_since_detection >= self._detect_interval
        if not visible or due or not self._follow(image, visible):
            self.detections += 1
            faces = self._detector.detect(image, self._smallest_face(image, visible))
            certain = self._match(image, faces, visible)
            self._frames_since_detection = 0 if certain else self._detect_interval - 1
        return {id_: track.face for id_, track in self._tracks.items() if not track.missed}

    def _smallest_face(self, image: Image, visible: dict[int, Track]) -> float | None:
        """Return the width in pixels of the smallest face to look for: with large faces tracked, detection is fast."""
        if self.thorough:
            return self._smallest
        longest = max(image.shape[:2])
        smallest = self._smallest or longest * self._detector.smallest_face
        if not visible or self._smallest:
            return smallest
        tracked = min(track.face.box.width for track in visible.values())
        return max(smallest, min(longest * NEWCOMER, tracked / 2))

    def _follow(self, image: Image, visible: dict[int, Track]) -> bool:
        """Move the visible tracks to where their faces are now; return False, and move none, if one is lost."""
        moved = {}
        for id_, track in visible.items():
            face = self._search(image, track)
            if face is None:
                return False
            moved[id_] = track._replace(face=face)
        if len(moved) > 1 and _merged(visible, moved):
            return False
        self._advance(moved)
        return True

    def _match(self, image: Image, faces: Sequence[Face], visible: dict[int, Track]) -> bool:
        """Continue tracks with the detected faces, open new ones; return False if detection should run again."""
        ids = self._ids(image, faces)
        opened = len(faces) - len(ids)
        tracks = {}
        for i, face in enumerate(faces):
            if i not in ids:
                ids[i] = self._next_id
                self._next_id += 1
            tracks[ids[i]] = Track(face, sample_patch(image, face.box.centre, face.box.width, PATCH))
        undetected = 0
        for id_, track in visible.items():
            if id_ in tracks or track.undetected or self._detect_interval == 1:
                continue
            nearby = self._search(image, track)
            if nearby and not any(nearby.box.iou(face.box) >= SAME_FACE_IOU for face in faces):
                tracks[id_] = track._replace(face=nearby, undetected=True)
                undetected += 1
        self._advance(tracks)
        return not opened and not undetected

    def _ids(self, image: Image, faces: Sequence[Face]) -> dict[int, int]:
        """Map a face's index to the id of the track that it continues: the one it overlaps most, if it looks alike."""
        pairs = [
            (face.box.iou(track.face.box), i, id_)
            for i, face in enumerate(faces)
            for id_, track in self._tracks.items()
        ]
        ids: dict[int, int] = {}
        for iou, i, id_ in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if iou >= SAME_FACE_IOU and i not in ids and id_ not in ids.values():
                at = self._tracks[id_]._replace(face=faces[i])
                if self._search(image, at, SAME_PERSON):
                    ids[i] = id_
        return ids

    def _search(self, image: Image, track: Track, min_correlation: float = MIN_CORRELATION) -> Face | None:
        """Return the face near its last place, or None if nothing there looks like it."""
        box = track.face.box
        scale = box.width / PATCH  # pixels of the picture a pixel of the patch
        area = sample_patch(image, box.centre, box.width * SEARCH / PATCH, SEARCH)
        _, correlation, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(area, track.patch, cv2.TM_CCOEFF_NORMED))
        if correlation < min_correlation:
            return None
        origin = (SEARCH - PATCH) / 2
        return Face(box.moved(round((x - origin) * scale), round((y - origin) * scale)), track.face.score)

    def _advance(self, visible: dict[int, Track]) -> None:
        """Keep the tracks visible on this frame, and those that were not missed for too long."""
        missed = {
            id_: track._replace(missed=track.missed + 1)
            for id_, track in self._tracks.items()
            if id_ not in visible and track.missed + 1 < MAX_MISSED
        }
        self._tracks = missed | visible


def _merged(before: dict[int, Track], after: dict[int, Track]) -> bool:
    """Return whether two tracks of separate faces ended on one face: one of the two is lost."""
    return any(
        after[one].face.box.iou(after[other].face.box) >= SAME_FACE_IOU
        and before[one].face.box.iou(before[other].face.box) < SAME_FACE_IOU
        for one, other in combinations(after, 2)
    )

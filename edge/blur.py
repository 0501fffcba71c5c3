"""Hide faces in every picture that leaves the loop.

Each face becomes a mosaic of a few cells, wide enough for hair and chin: what the cells average cannot be restored. A
face that was found a moment ago is not always found again, as when it turns away; its place stays hidden for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.opencv import cv2
from edge.values import Box, Frame, Image, Reading

CELLS = 6  # along each side of the mosaic: the face itself, without its margin, has fewer than 4
MARGIN = 0.35  # of the box's side, on each side
HOLD_S = 1.0  # for which a place stays hidden after its face was last found
DRIFT = 0.8  # of the box's side a second: a hidden place grows, since its face may move on


class FaceHider:
    """Hide the faces of a source's frames, one after another. Times are in seconds of the source."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[float, Box]] = {}  # face id -> when and where it was last found
        self._last_s = 0.0

    def hide(self, frame: Frame, readings: Sequence[Reading]) -> Frame:
        """Return the frame with a copy of its picture in which the faces are hidden.

        A lost camera's frame repeats the last picture, where everything that was hidden stays so.
        """
        if frame.error is None:
            self._update(frame, readings)
        image = frame.image.copy()
        for seen_s, box in self._places.values():
            _pixelate(image, box, MARGIN + DRIFT * (self._last_s - seen_s))
        return replace(frame, image=image)

    def _update(self, frame: Frame, readings: Sequence[Reading]) -> None:
        """Add the faces of a frame; forget those of long ago, of another picture, and of another video."""
        if frame.name or frame.time_s < self._last_s:
            self._places.clear()
        self._last_s = frame.time_s
        self._places = {id_: place for id_, place in self._places.items() if frame.time_s - place[0] <= HOLD_S}
        self._places |= {reading.id: (frame.time_s, reading.face.box) for reading in readings}


def _pixelate(image: Image, box: Box, margin: float) -> None:
    """Replace a box, enlarged by a margin (a share of its longer side), by a mosaic, in place."""
    side = max(box.width, box.height)
    edge = round(side * margin)
    rows = slice(max(0, box.y - edge), max(0, box.y + box.height + edge))
    columns = slice(max(0, box.x - edge), max(0, box.x + box.width + edge))
    region = image[rows, columns]
    if not region.size:
        return
    height, width = region.shape[:2]
    cell = (side + 2 * edge) / CELLS  # pixels; at the picture's border, there are fewer cells, not smaller ones
    size = (max(1, round(width / cell)), max(1, round(height / cell)))
    cells = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    region[:] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)

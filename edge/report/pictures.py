"""Keep pictures of the strongest moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edge.errors import UsageError
from edge.opencv import cv2
from edge.picture import encode_picture
from edge.report.session import Peak, Sessions
from edge.source import open_source
from edge.values import Image

HEIGHT = 160  # pixels
MARGIN = 0.25  # of the box's side, all round
QUALITY = 80  # of the JPEG


def face_picture(image: Image, box: Sequence[int]) -> bytes | None:
    """Return the face in `box` (x, y, width, height in pixels) with a margin as JPEG; None if it is outside."""
    x, y, width, height = box
    margin = round(MARGIN * height)
    crop = image[max(y - margin, 0) : y + height + margin, max(x - margin, 0) : x + width + margin]
    if not crop.size:
        return None
    size = max(round(crop.shape[1] * HEIGHT / crop.shape[0]), 1), HEIGHT
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return encode_picture(small, ".jpg", QUALITY)


def add_pictures(sessions: Sessions, video: str) -> None:
    """Add the faces of the strongest moments from the events' video. Raises SourceError or UsageError."""
    if len(sessions.all) > 1:
        raise UsageError(f"expected the events of one run with --video, found {len(sessions.all)} sessions")
    peaks: dict[int, list[Peak]] = defaultdict(list)
    for session in sessions.all:
        for person in session.people.values():
            for peak in person.peaks.values():
                peaks[peak.frame].append(peak)
    with open_source(video) as source:
        for frame in source:
            for peak in peaks.pop(frame.index, ()):
                peak.picture = face_picture(frame.image, peak.box)
            if not peaks:
                return

"""Keep pictures of the strongest moments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edge.errors import UsageError
from edge.opencv import cv2
from edge.picture import encode_picture
from edge.report.person import Peak
from edge.report.session import Sessions
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


def add_pictures(sessions: Sessions, video: str) -> int:
    """Add the faces of the strongest moments from the events' video; return how many moments do not agree with it.

    Raises SourceError, and UsageError if it cannot be the source of the events.
    """
    if sessions.count > 1:
        raise UsageError(f"expected the events of one run with --video, found {sessions.count} sessions")
    peaks: dict[int, list[Peak]] = defaultdict(list)
    for person in sessions.all[0].people.values():
        for peak in person.peaks.values():
            peaks[peak.frame].append(peak)
    total = sum(map(len, peaks.values()))
    agreeing = 0
    with open_source(video) as source:
        if source.live or source.independent:
            raise UsageError(f"expected the recorded video of the events for --video, found {video}")
        for frame in source if peaks else ():
            for peak in peaks.pop(frame.index, ()):
                peak.picture = face_picture(frame.image, peak.box)
                agreeing += peak.picture is not None and abs(frame.time_s - peak.time_s) <= 1.5 / source.fps
            if not peaks:
                break
    if total and not agreeing:
        raise UsageError(f"expected the video of the events for --video, found {video}, which none of them agrees with")
    return total - agreeing

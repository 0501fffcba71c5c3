"""Read the pictures and frames that visitors send, with a reader for each: it tracks and remembers faces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.draw import annotate
from edge.errors import EmotionError, UsageError
from edge.picture import decode_picture, encode_picture
from edge.reader import EmotionReader
from edge.untrusted import printable
from edge.values import Image, Reading
from edge.web.picture_reader import sent_header

MAX_SESSIONS = 8  # about 20 MB each
SENT = "what was sent"  # names a picture in messages


@dataclass(frozen=True)
class Answer:
    """Hold what a visitor sees: a line of text, the readings, and the picture with them drawn in, as a JPEG file."""

    text: str
    readings: Sequence[Reading] = ()
    jpeg: bytes | None = None


NOTHING = Answer("")


class Session:
    """Read what one visitor sends, one picture at a time."""

    def __init__(self, reader: EmotionReader) -> None:
        self._reader = reader
        self._lock = threading.Lock()
        self._start_s = time.monotonic()
        self._image: Image | None = None  # the last one that was read
        self._answer = NOTHING
        self.chosen: int | None = None  # id of the face whose probabilities are shown
        self.listed: list[int] | None = None  # ids that the page offers; None: not known

    def read(self, data: bytes) -> Answer:
        """Read the faces of a picture, the contents of a file."""
        return self._read(data, self._reader.read)

    def follow(self, data: bytes) -> Answer:
        """Read the next frame of the visitor's camera, a picture file too."""
        return self._read(data, lambda image: self._reader.follow(image, time.monotonic() - self._start_s))

    def clear(self) -> Answer:
        """Forget the last picture."""
        with self._lock:
            self._image, self._answer = None, NOTHING
        return NOTHING

    def _read(self, data: bytes, read: Callable[[Image], list[Reading]]) -> Answer:
        with self._lock:
            self._image = None
            try:
                image = decode_picture(data, SENT, header=sent_header(data, SENT))
                readings = read(image)
                jpeg = encode_picture(annotate(image, readings), ".jpg")
                self._image, self._answer = image, Answer(described(readings), readings, jpeg)
            except EmotionError as error:
                self._answer = Answer(printable(str(error)))
            return self._answer

    def calibrate(self) -> str:
        """Take the face of the last picture or frame as the visitor's neutral one; return what to say."""
        try:
            with self._lock:
                if self._image is None:
                    raise UsageError("expected a picture or a running camera with your neutral face, found none")
                self._reader.calibrate(self._image)
        except EmotionError as error:
            return printable(str(error))
        return "from now on, readings are corrected by this neutral face"

    def chosen_reading(self) -> Reading | None:
        """Return the last reading of the chosen face or, if it is not there, of the largest."""
        readings = self._answer.readings
        largest = max(readings, key=lambda reading: reading.face.box.width, default=None)
        return next((reading for reading in readings if reading.id == self.chosen), largest)

    def close(self) -> None:
        """Release the reader, when nothing is being read."""
        with self._lock:
            self._reader.close()


class Sessions:
    """Keep the sessions of the visitors who were here last; the others are forgotten, with their pictures."""

    def __init__(self, open_reader: Callable[[], EmotionReader]) -> None:
        self._open = open_reader
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}  # by the visitor's key, the last visitor last

    def get(self, key: str) -> Session:
        """Return a visitor's session, a new one at the first visit."""
        with self._lock:
            session = self._sessions.pop(key, None) or Session(self._open())
            self._sessions[key] = session
            forgotten = list(self._sessions)[:-MAX_SESSIONS]
            sessions = [self._sessions.pop(other) for other in forgotten]
        for other in sessions:
            other.close()
        return session

    def end(self, key: str) -> None:
        """Forget a visitor: the picture, the faces and the neutral face."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session:
            session.close()

    def close(self) -> None:
        """Forget all visitors."""
        for key in list(self._sessions):
            self.end(key)


def described(readings: Sequence[Reading]) -> str:
    """Return the readings as a line of text."""
    if not readings:
        return "no face found"
    faces = ", ".join(f"{reading.id}: {reading.emotion} {reading.confidence:.0%}" for reading in readings)
    return f"{faces}{' (corrected by your neutral face)' if readings[0].calibrated else ''}"

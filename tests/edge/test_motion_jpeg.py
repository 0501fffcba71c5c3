"""Specify Motion JPEG over HTTP: what cameras send, and what hostile ones do. Nothing grows without a limit."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from edge.errors import SourceError
from edge.opencv import cv2
from edge.sources import motion_jpeg
from edge.sources.base import CameraSettings
from edge.sources.motion_jpeg import HttpStream, MotionJpeg

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=%s\r\n\r\n"
Serve = Callable[[Iterator[bytes]], str]


def jpeg(value: int, width: int = 64, height: int = 48) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), value, np.uint8))[1].tobytes()


def claiming(width: int, height: int) -> bytes:
    """Return a small JPEG whose header claims another size."""
    data = bytearray(jpeg(1))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def with_length(*pictures: bytes) -> Iterator[bytes]:
    yield ANSWER % b"frame"
    for data in pictures:
        yield b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


def without_length(*pictures: bytes, boundary: bytes = b"frame", delimiter: bytes = b"--frame") -> Iterator[bytes]:
    yield ANSWER % boundary
    for data in pictures:
        yield delimiter + b"\r\nContent-Type: image/jpeg\r\n\r\n" + data + b"\r\n"
    yield delimiter + b"--\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one request with these pieces, until the other side closes; return the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as stack:

        def start(pieces: Iterator[bytes]) -> str:
            def answer() -> None:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(4096)
                    for piece in pieces:
                        connection.sendall(piece)

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            return f"http://user:secret@127.0.0.1:{server.getsockname()[1]}/video?token=secret"

        yield start


SOUND = [jpeg(10), jpeg(200, 80, 60)]
SENT = {
    "with lengths": with_length(*SOUND),
    "without lengths": without_length(*SOUND),
    "dashes in the boundary": without_length(*SOUND, boundary=b"--frame"),
    "a quoted boundary": without_length(*SOUND, boundary=b'"frame"'),
    "one byte at a time": (bytes([byte]) for piece in with_length(*SOUND) for byte in piece),
    "a damaged picture among sound ones": with_length(SOUND[0][:-300], b"", b"no picture", *SOUND),
    "a huge picture among sound ones": with_length(claiming(30000, 30000), *SOUND),
}


@pytest.mark.parametrize("name", SENT)
def test_every_sound_picture_is_read(monkeypatch: pytest.MonkeyPatch, serve: Serve, name: str) -> None:
    monkeypatch.setattr(MotionJpeg, "_read_newest", MotionJpeg._read_part)
    stream = HttpStream(serve(SENT[name]), CameraSettings())
    images = [stream.read() for _ in range(3)]
    stream.release()
    assert images[2] is None, "the stream has ended"
    assert [image.shape for image in images if image is not None] == [(48, 64, 3), (60, 80, 3)]
    assert [round(float(image.mean())) for image in images if image is not None] == [10, 200]


HOSTILE = {  # what follows the answer's head, repeated without end -> the reason given
    "an endless picture": (b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8", bytes(1 << 16), "at most 1 MB"),
    "an endless head": (b"--frame\r\n", b"X-Filler: " + bytes(1000) + b"\r\n", "at most 1 MB"),
    "a picture of 200 GB": (b"--frame\r\nContent-Length: 200000000000\r\n\r\n", bytes(1 << 16), "at most 1 MB"),
    "16K pictures alone": (b"", b"".join(list(with_length(claiming(15360, 8640)))[1:]), "100 million"),
}


@pytest.mark.parametrize("form", [with_length, without_length])
def test_a_slow_machine_gets_the_newest_picture(serve: Serve, form: Callable[..., Iterator[bytes]]) -> None:
    pictures = [jpeg(value) for value in range(0, 240, 6)]
    sent = threading.Event()

    def send() -> Iterator[bytes]:
        yield from form(*pictures)
        yield b"--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8 and a part of one more"
        sent.set()
        time.sleep(1)

    stream = HttpStream(serve(send()), CameraSettings())
    assert sent.wait(5)
    image = stream.read()
    stream.release()
    assert image is not None
    assert round(float(image.mean())) == 234


def test_a_picture_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    monkeypatch.setattr(motion_jpeg, "MAX_PICTURE", 1 << 20)
    answer = itertools.chain([b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"], itertools.repeat(bytes(1 << 16)))
    stream = HttpStream(serve(answer), CameraSettings())
    with pytest.raises(SourceError, match="at most 1 MB"):
        stream.read()
    stream.release()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_stream_is_refused_before_memory_grows(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, name: str
) -> None:
    monkeypatch.setattr(motion_jpeg, "MAX_PICTURE", 1 << 20)
    monkeypatch.setattr(motion_jpeg, "PICTURE_TIMEOUT_S", 0.5 if name.startswith("16K") else 20)
    head, piece, reason = HOSTILE[name]
    stream = HttpStream(serve(itertools.chain([ANSWER % b"frame", head], itertools.repeat(piece))), CameraSettings())
    with pytest.raises(SourceError, match=reason) as refusal:
        stream.read()
    stream.release()
    assert len(stream._capture._buffer) < 2 << 20  # type: ignore[attr-defined]
    assert "secret" not in str(refusal.value)


def test_a_picture_that_comes_drop_by_drop_is_given_up(monkeypatch: pytest.MonkeyPatch, serve: Serve) -> None:
    monkeypatch.setattr(motion_jpeg, "PICTURE_TIMEOUT_S", 0.3)

    def drip() -> Iterator[bytes]:
        yield ANSWER % b"frame" + b"--frame\r\n\r\n\xff\xd8"
        while True:
            time.sleep(0.02)
            yield b"x"

    stream = HttpStream(serve(drip()), CameraSettings())
    with pytest.raises(SourceError, match="no whole picture"):
        stream.read()
    stream.release()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"HTTP/1.1 401 Unauthorized\r\n\r\n", "401 Unauthorized"), (b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found")],
)
def test_the_reason_is_named_without_the_password(serve: Serve, answer: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as refusal:
        HttpStream(serve(iter([answer])), CameraSettings())
    assert "secret" not in str(refusal.value)


def test_a_camera_of_snapshots_is_asked_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers have no length, so they are no file; without asking again, every picture would be an outage."""
    monkeypatch.setattr(motion_jpeg, "SNAPSHOT_INTERVAL_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for data in (jpeg(10), jpeg(50)[:-300], jpeg(100), b"", jpeg(200)):  # one that is just written, and none
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + data)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        camera = HttpStream(f"http://127.0.0.1:{server.getsockname()[1]}/shot.jpg", CameraSettings())
        pictures = [camera.read() for _ in range(3)]
        assert [round(picture.mean()) for picture in pictures if picture is not None] == [10, 100, 200]
        thread.join(5)
    with pytest.raises(SourceError, match="refuses port"):
        camera.read()
    camera.release()

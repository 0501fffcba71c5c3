"""Test addresses of streams: secrets stay out of every message, and the reason for a failure is named."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from edge.errors import SourceError
from edge.options import parse_args
from edge.redaction import redacted
from edge.source import open_source
from edge.sources import address, stream

Answer = Callable[[str], str]  # the answer to a request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://cam:8080/video", "http://cam:8080/video"),
        ("http://[fe80::1]:80/2024-05-01T12:30:00.mp4", "http://[fe80::1]:80/2024-05-01T12:30:00.mp4"),
        ("rtsp://admin:s3cret@cam/1; check it", "rtsp://***@cam/1; check it"),
        ("RTSP://admin:s3@cret@cam:554/1", "RTSP://***@cam:554/1"),
        ("rtsp://admin:s3/c?r#et@cam/1", "rtsp://***@cam/1"),
        ("rtsp://admin:s3 cret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://admin:s3cret", "rtsp://***"),
        ("rtsp://s3cret@cam/1", "rtsp://***@cam/1"),
        ("no source 'foo://a:s3cret@cam'", "no source 'foo://***@cam'"),
        ("http://cam/v.mp4?token=s3cret&x=1#s3cret", "http://cam/v.mp4?token=***&x=***&***"),
        ("http://cam/v?s3cret", "http://cam/v?***"),
        ("rtsp://cam/user=admin&password=s3cret&channel=1.sdp", "rtsp://cam/user=***&password=***&channel=***"),
        ("rtsps://cam:7441/AbCd3FgHs3cret78", "rtsps://cam:7441/***"),
        ("rtmp://host/live/s3cret", "rtmp://host/live/***"),
        ("zip://**/[a-b]?=*.jpg::photos.zip: no", "zip://**/[a-b]?=*.jpg::photos.zip: no"),
        ("zip://**.jpg::s3://a:s3cret@bucket/p.zip", "zip://**.jpg::s3://***@bucket/p.zip"),
        ("file:///data/2024photographs1234", "file:///data/2024photographs1234"),
        ("rtsp://a:s3cret@x/1 and http://b:s3cret@y", "rtsp://***@x/1 and http://***@y"),
    ],
)
def test_secrets_of_an_address_are_hidden(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert str(SourceError(text)) == expected


@pytest.mark.parametrize(
    "argv", [["rtsp://a:s3cret@x", "--source", "rtsp://b:s3cret@y"], ["--rtsp", "rtsp://a:s3cret@x"]]
)
def test_a_wrong_command_line_hides_them_too(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_args(None, argv)
    assert "s3cret" not in capsys.readouterr().err


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], int]]:
    """Answer each request of each connection; return the port."""
    with contextlib.ExitStack() as stack:

        def start(answer: Answer) -> int:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def converse(connection: socket.socket) -> None:
                with connection, contextlib.suppress(OSError):
                    while request := connection.recv(4096).decode():
                        connection.sendall(answer(request).encode())

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return int(server.getsockname()[1])

        yield start


def rtsp(status: str, request: str, *headers: str) -> str:
    number = request.partition("CSeq: ")[2].partition("\r\n")[0]
    return "\r\n".join([f"RTSP/1.0 {status}", f"CSeq: {number}", *headers, "", ""])


def not_found(request: str) -> str:
    return rtsp("404 Not Found", request)


def wants_digest(request: str) -> str:
    challenge = 'WWW-Authenticate: Digest realm="cam", nonce="1234", algorithm=MD5'
    return rtsp("401 Unauthorized", request, challenge)


def has_path_for_user(request: str) -> str:
    """Accept any user, and know no path."""
    return not_found(request) if 'Authorization: Digest username="admin"' in request else wants_digest(request)


def web_page(_: str) -> str:
    return "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"


def http_401(_: str) -> str:
    return "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("scheme", "answer", "reason"),
    [
        ("RTSP", not_found, "404 Not Found: the host has no such path"),
        ("rtsp", wants_digest, "401 Unauthorized; the user name or password is wrong"),
        ("rtsp", has_path_for_user, "404 Not Found"),
        ("rtsp", web_page, "not in RTSP; check the port"),
        ("http", web_page, r"a web page \(text/html\)"),
        ("http", http_401, "401 Unauthorized; the user name or password is wrong"),
    ],
)
def test_reason_of_a_server_is_named(
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[[Answer], int],
    scheme: str,
    answer: Answer,
    reason: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stream, "OPEN_TIMEOUT_MS", 500)
    port = serve(answer)
    with pytest.raises(SourceError, match=reason) as caught:
        open_source(f"{scheme}://admin:s3cret@127.0.0.1:{port}/live?token=s3cret")
    assert "s3cret" not in str(caught.value) + capfd.readouterr().err


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("rtsp://127.0.0.1:{free}/1", "127.0.0.1 refuses port"),
        ("http://127.0.0.1:{free}/1", "127.0.0.1 refuses port"),
        ("rtsp://camera.invalid/1", "no host named camera.invalid is known"),
        ("http://camera.invalid/1", "no host named camera.invalid is known"),
        ("rtsp:///1", "names no host"),
        ("http://127.0.0.1:99999/1", "malformed"),
        ("rtsp://admin:s3cret/1", "malformed"),
    ],
)
def test_reason_of_the_network_is_named(url: str, reason: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(SourceError, match=reason) as caught:
        open_source(url.format(free=free))
    assert "s3cret" not in str(caught.value)


def test_a_host_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", time_out)
    assert "does not answer" in str(address.stream_error("rtsp://cam/1"))


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:0\r\n"


@pytest.mark.parametrize(
    ("query", "users_options", "transport"),
    [
        ("", None, "RTP/AVP/TCP"),
        ("?channel=1&udp", None, "RTP/AVP/UDP"),
        ("", "rtsp_transport;udp|max_delay;1", "RTP/AVP/UDP"),
        ("", "max_delay;1", "RTP/AVP/TCP"),
    ],
)
def test_rtsp_is_over_tcp_unless_udp_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    serve: Callable[[Answer], int],
    query: str,
    users_options: str | None,
    transport: str,
) -> None:
    monkeypatch.delenv(stream.OPTIONS_VARIABLE, raising=False)
    if users_options:
        monkeypatch.setenv(stream.OPTIONS_VARIABLE, users_options)
    asked: list[str] = []

    def answer(request: str) -> str:
        if request.startswith("DESCRIBE"):
            return rtsp("200 OK", request, "Content-Type: application/sdp", f"Content-Length: {len(SDP)}") + SDP
        if request.startswith("SETUP"):
            asked.append(request)
            return rtsp("454 Session Not Found", request)
        return rtsp("200 OK", request, "Public: DESCRIBE, SETUP, PLAY")

    with pytest.raises(SourceError):
        open_source(f"rtsp://127.0.0.1:{serve(answer)}/live{query}")
    assert f"Transport: {transport};" in asked[0]
    assert "udp" not in asked[0], "the camera does not get what is not for it"
    assert (users_options or "") in os.environ[stream.OPTIONS_VARIABLE]

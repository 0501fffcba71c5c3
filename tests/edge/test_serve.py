"""Specify the live page: its answers, who may see them, and that viewers cannot hold it up."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

starlette = pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("httpx", reason="starlette's TestClient needs httpx")

from starlette.testclient import TestClient

from edge.errors import MissingExtra, OutputError, UsageError
from edge.labels import EMOTIONS
from edge.picture import encode_picture
from edge.sinks.serve import Serve
from edge.sources.demo import demo_images
from edge.web import access, app, hub, server
from edge.web.address import Address
from edge.web.hub import Hub
from tests.edge.samples import OUTAGE, make_context, make_frame, make_lost_frame, make_reading

GET = ("/", "/stream.mjpg", "/snapshot.jpg", "/events", "/api/state", "/healthz", "/metrics")
TOKEN = "a-token-of-the-tests"


def client(
    hub: Hub | None = None, address: str = "8000", labels: tuple[str, ...] = EMOTIONS, **options: Any
) -> TestClient:
    """Return a browser that has opened the page of a hub."""
    page = app.open_app(hub or seen(), access.open_access(Address.parse(address)), labels, **options)
    return TestClient(page, "http://127.0.0.1:8000", follow_redirects=False)


def seen(*, lost: bool = False) -> Hub:
    """Return a hub to which a frame with a face was published and, if the camera is lost, one more."""
    hub = Hub()
    hub.publish(make_frame(), [make_reading()])
    if lost:
        hub.publish(make_lost_frame(), [])
    return hub


@pytest.fixture
def page() -> Iterator[Serve]:
    """Serve a page on a free port."""
    with Serve("0", make_context()) as sink:
        yield sink


def connect(sink: Serve, path: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", sink.port), timeout=10)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{sink.port}\r\n\r\n".encode())
    return connection


def read_until(connection: socket.socket, pattern: bytes, count: int = 1) -> bytes:
    """Return what arrives until a pattern was found so often."""
    data = b""
    while len(re.findall(pattern, data)) < count:
        chunk = connection.recv(65536)
        assert chunk, f"the connection ended after {data[-200:]!r}"
        data += chunk
    return data


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.01)


# Addresses


@pytest.mark.parametrize(
    ("text", "ip", "port", "private"),
    [
        ("8000", "127.0.0.1", 8000, True),
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("localhost:80", "127.0.0.1", 80, True),
        ("0.0.0.0:8000", "0.0.0.0", 8000, False),
        ("[::1]:8000", "::1", 8000, True),
        ("[::]:8000", "::", 8000, False),
    ],
)
def test_an_address_is_a_port_with_or_without_a_host(text: str, ip: str, port: int, private: bool) -> None:
    address = Address.parse(text)
    assert (str(address.ip), address.port, address.is_private) == (ip, port, private)


def test_a_name_that_stands_for_this_machine_is_answered_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian gives the machine's own name the address 127.0.1.1."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.1.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    address = Address.parse("Raspberry:8000")
    assert address.is_private
    assert address.url(8000) == "http://Raspberry:8000/"
    assert "raspberry" in address.names()


@pytest.mark.parametrize(
    "text",
    ["", ":8000", "65536", "-1", "host", "a b:1", "::1:80", "1:2:3", "http://x:1", "user@localhost:1", "x.invalid:1"],
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected --serve|machine to serve on"):
        Address.parse(text)


def test_a_port_in_use_is_an_error_before_the_run(page: Serve) -> None:
    with pytest.raises(OutputError, match="choose another address or port"), Serve(str(page.port), make_context()):
        pass


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_package_is_named_with_the_command(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(MissingExtra, match=rf"needs {missing}.*pip install '\.\[serve\]'"):
        Serve("8000", make_context())


# Answers


@pytest.mark.parametrize("path", GET)
def test_every_answer_has_the_headers_that_keep_it_private(path: str) -> None:
    answer = client().request("HEAD" if path in ("/stream.mjpg", "/events") else "GET", path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = client().get("/").text
    assert not re.search(
        r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(""", page.replace("http://www.w3.org/2000/svg", "")
    )
    assert not re.search(r"""\s(style|on\w+)\s*=""", page.split("<script>")[0]), "the policy forbids it"


def test_the_state_is_the_event_with_the_camera() -> None:
    state = client(seen()).get("/api/state").json()
    assert state["faces"][0]["emotion"] == "happy"
    assert (state["camera"], state["frames"], state["labels"]) == ("live", 1, list(EMOTIONS))
    assert state["picture"] == [160, 120]
    lost = client(seen(lost=True)).get("/api/state").json()
    assert (lost["camera"], lost["trouble"], lost["faces"], lost["outages"]) == ("lost", OUTAGE, [], 1)


def silent() -> Hub:
    hub = seen()
    assert hub.newest
    hub.newest.published_s -= app.SILENT_S + 1
    return hub


@pytest.mark.parametrize(
    ("make", "status", "text"),
    [
        (Hub, 503, "no picture yet"),
        (seen, 200, "ok"),
        (lambda: seen(lost=True), 503, "camera lost"),
        (silent, 503, "camera lost"),
    ],
    ids=["starting", "live", "lost", "silent"],
)
def test_health_is_that_of_the_camera(make: Callable[[], Hub], status: int, text: str) -> None:
    browser = client(make())
    answer = browser.get("/healthz")
    assert answer.status_code == status
    assert text in answer.text
    assert f"edge_emotion_camera_up {int(status == 200)}\n" in browser.get("/metrics").text


def test_there_is_no_snapshot_before_the_first_frame() -> None:
    assert client(Hub()).get("/snapshot.jpg").status_code == 503
    answer = client().get("/snapshot.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content.startswith(b"\xff\xd8")


def test_metrics_are_prometheus_text_for_any_labels() -> None:
    answer = client(seen(), labels=("happy", 'odd "\\\n name'))
    answer = answer.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    kinds = {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'(\w+)(\{\w+="(?:[^"\\\n]|\\[\\n"])*"\})? -?[\d.e+-]+', line)
            assert match, line
            assert (kinds[match[1]] == "counter") == match[1].endswith("_total")
    assert 'edge_emotion_readings_total{emotion="happy"} 1' in answer.text
    assert 'edge_emotion_faces{emotion="odd \\"\\\\\\n name"} 0' in answer.text


# Pictures that are sent


def test_a_picture_is_read_by_its_content() -> None:
    picture = encode_picture(next(demo_images(1)), ".png")
    answer = client().post("/api/read", content=picture)
    (face,) = answer.json()["faces"]
    assert face["emotion"] == "happy"
    assert set(face["probabilities"]) == set(EMOTIONS)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"no picture", 422),
        (b"\xff\xd8\xff\xe0 cut off", 422),
        (b"x" * (app.MAX_PICTURE + 1), 413),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0) + bytes(4), 413),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0) + bytes(4), 413),
        (lambda: (yield from [b"x" * 1_000_000] * 17), 413),  # without a Content-Length
    ],
    ids=["empty", "text", "cut off", "too long", "too many pixels", "far too many pixels", "too long in chunks"],
)
def test_anything_else_is_refused(content: Any, status: int) -> None:
    answer = client().post("/api/read", content=content() if callable(content) else content)
    assert answer.status_code == status
    assert "expected" in answer.json()["error"]


def test_pictures_that_come_too_fast_are_sent_away() -> None:
    def open_slow_reader() -> Callable[[Any], list[Any]]:
        return lambda image: time.sleep(1.0) or []  # type: ignore[func-returns-value]

    picture = encode_picture(make_frame().image, ".png")
    browser = client(open_reader=open_slow_reader)
    assert browser.post("/api/read", content=picture).status_code == 200
    answer = browser.post("/api/read", content=picture)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


# Who may see it


@pytest.mark.parametrize(
    ("address", "host", "allowed"),
    [
        ("8000", "127.0.0.1:8000", True),
        ("8000", "localhost:8000", True),
        ("8000", "LOCALHOST.", True),
        ("8000", "[::1]:8000", True),
        ("8000", "attacker.example:8000", False),
        ("8000", "127.0.0.1.attacker.example", False),
        ("8000", "localhost@attacker.example", False),
        ("8000", "192.168.0.7:8000", False),
        ("8000", "", False),
        ("0.0.0.0:8000", "192.168.0.7:8000", True),  # nobody chooses what an address means
        ("0.0.0.0:8000", f"{socket.gethostname()}:8000", True),
        ("0.0.0.0:8000", "attacker.example:8000", False),
        ("0.0.0.0:8000", "proxy.example", True),  # named by EDGE_EMOTION_HOSTS
    ],
)
def test_only_names_of_this_machine_are_answered(
    address: str, host: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_EMOTION_TOKEN", TOKEN)
    monkeypatch.setenv("EDGE_EMOTION_HOSTS", "Proxy.example, other.example")
    headers = {"host": host, "authorization": f"Bearer {TOKEN}"}
    assert client(address=address).get("/api/state", headers=headers).status_code == (200 if allowed else 421)


OTHER = {"sec-fetch-site": "cross-site"}
LINK = {"sec-fetch-mode": "navigate"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "allowed"),
    [
        ("GET", "/api/state", {}, True),  # a program
        ("GET", "/", {**OTHER, **LINK}, True),  # a link on another page
        ("GET", "/api/state", {**OTHER, **LINK}, False),
        ("GET", "/", OTHER, False),
        ("GET", "/snapshot.jpg", OTHER, False),
        ("GET", "/events", {"sec-fetch-site": "same-site"}, False),  # another port of this machine
        ("GET", "/snapshot.jpg", {"sec-fetch-site": "same-origin"}, True),
        ("GET", "/snapshot.jpg", {"sec-fetch-site": "none"}, True),  # typed by the user
        ("GET", "/api/state", {"origin": "http://127.0.0.1:8000"}, True),
        ("GET", "/api/state", {"origin": "http://127.0.0.1:9000"}, False),
        ("POST", "/api/read", {"origin": "https://attacker.example"}, False),
        ("POST", "/api/read", {"origin": "null"}, False),
        ("POST", "/api/read", {"origin": "http://["}, False),
        ("POST", "/", {**OTHER, **LINK}, False),
    ],
)
def test_other_sites_are_refused(method: str, path: str, headers: dict[str, str], allowed: bool) -> None:
    assert (client().request(method, path, headers=headers).status_code == 403) == (not allowed)


def test_beyond_this_machine_the_token_is_exchanged_once_for_a_cookie() -> None:
    checks = access.open_access(Address.parse("0.0.0.0:8000"))
    assert checks.token
    assert checks.shows_token
    browser = TestClient(app.open_app(seen(), checks, EMOTIONS), "http://127.0.0.1:8000", follow_redirects=False)
    for path in (*GET, "/?token=wrong", f"/api/state?token={checks.token}"):
        assert browser.get(path).status_code == 401, path
    answer = browser.get(f"/?token={checks.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert checks.token.lower() not in cookie
    assert browser.get("/api/state").status_code == 200
    browser.cookies.clear()
    assert browser.get("/api/state").status_code == 401


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        ("Basic " + base64.b64encode(f"anybody:{TOKEN}".encode()).decode(), 200),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer", 401),
        ("Basic !!!", 401),
        ("Basic /w==", 401),
        ("Basic \u00e9", 401),
        ("Bearer \u00e9", 401),
    ],
)
def test_programs_send_the_token_of_the_environment(
    authorization: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_EMOTION_TOKEN", TOKEN)
    headers = {"authorization": authorization.encode("latin-1")}
    assert client(address="0.0.0.0:8000").get("/metrics", headers=headers).status_code == status


def test_the_url_is_printed_with_a_new_token_but_without_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Serve("0.0.0.0:0", make_context()) as sink:
        assert re.fullmatch(rf"live page: http://[^/]+:{sink.port}/\?token=[\w-]{{43}}\n", capsys.readouterr().err)
    monkeypatch.setenv("EDGE_EMOTION_TOKEN", TOKEN)
    with Serve("0.0.0.0:0", make_context()) as sink:
        assert capsys.readouterr().err.endswith(f":{sink.port}/\n"), "a service's log would keep the token"


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EMOTION_TOKEN", "short")
    with pytest.raises(UsageError, match="at least 16 ASCII characters, found 5"):
        Serve("8000", make_context())


# Streams


def test_a_picture_is_encoded_once_for_all_viewers_and_only_for_them(
    page: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = hub.cv2.imencode
    monkeypatch.setattr(hub.cv2, "imencode", lambda *arguments: encoded.append(1) or encode(*arguments))
    for i in range(5):
        page.write(make_frame(i), [])
    time.sleep(0.1)
    assert not encoded
    viewers = [connect(page, "/stream.mjpg") for _ in range(3)]
    for viewer in viewers:
        read_until(viewer, rb"\r\n--frame", 1)
    assert len(encoded) == 1
    page.write(make_frame(5), [])
    for viewer in viewers:
        read_until(viewer, rb"\r\n--frame", 1)
        viewer.close()
    assert len(encoded) == 2
    wait_for(lambda: page._hub.viewers["stream"] == 0)


def test_events_begin_with_the_history_and_go_on_while_nothing_happens(
    page: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write(make_frame(), [make_reading()])
    with connect(page, "/events") as viewer:
        text = read_until(viewer, rb": heartbeat").decode()
        page.write(make_lost_frame(1), [])
        text += read_until(viewer, rb'"trouble"').decode()
    start, first, last = (json.loads(data) for data in re.findall(r"^data: (.*?)\r?$", text, re.MULTILINE))
    assert start["labels"] == list(EMOTIONS)
    assert start["history"][0]["faces"] == [[1, "happy", 0.7]]
    assert (first["camera"], last["camera"]) == ("live", "lost")


def test_a_viewer_that_stalls_is_dropped_and_holds_up_nobody(page: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STALLED_S", 0.5)
    picture = next(demo_images(1))
    stalled = [connect(page, "/stream.mjpg") for _ in range(5)]
    with connect(page, "/stream.mjpg") as viewer:
        wait_for(lambda: page._hub.viewers["stream"] == 6)
        number = 0
        end_s = time.monotonic() + 20
        while page._hub.viewers["stream"] > 1:
            assert time.monotonic() < end_s, "those who stall are still there"
            page.write(replace(make_frame(number), image=picture), [])
            read_until(viewer, rb"\r\n--frame")
            number += 1
    for connection in stalled:
        connection.close()


def test_a_connection_without_a_request_is_dropped(page: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.2)
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as connection:
        connection.sendall(b"GET / HT")
        assert connection.recv(1) == b""


def test_the_server_ends_with_the_run_whatever_viewers_do() -> None:
    with Serve("0", make_context()) as sink:
        sink.write(make_frame(), [])
        streams = [connect(sink, path) for path in ("/stream.mjpg", "/events", "/stream.mjpg")]
        read_until(streams[0], rb"--frame")
        idle = http.client.HTTPConnection("127.0.0.1", sink.port)
        idle.request("GET", "/healthz")
        assert idle.getresponse().read() == b"ok\n"
    assert not sink._server.is_running
    for connection in streams:
        connection.close()
    with pytest.raises(OutputError, match="has ended"):
        sink.write(make_frame(), [])

"""Check the app: what visitors may send, what they are told, and the page itself in Chromium."""

from __future__ import annotations

import base64
import importlib.util
import re
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.app import command, page
from edge.app.gate import MAX_BODY, STARTUP, Gate
from edge.app.sessions import MAX_SESSIONS, Session, Sessions
from edge.opencv import cv2
from edge.reader import EmotionReader
from edge.sources.demo import demo_images
from edge.values import Box, EmotionProbabilities, Face, Image, Reading
from edge.web.access import Access
from edge.web.address import Address
from edge.web.app import MAX_PICTURE
from tests import chromium
from tests.conftest import ROOT

PORTRAIT = ROOT / "edge" / "assets" / "astronaut.jpg"


def png(image: Image) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def two_faces() -> bytes:
    image = cv2.imread(str(PORTRAIT))
    return png(np.hstack([image, image[:, ::-1]]))


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBBI", width, height, 8, 2, 0, 0, 0, 0)


def two_happy() -> str:
    """Return what the app has to say of both faces: what the reader reads in them."""
    with EmotionReader() as reader:
        readings = reader.read(cv2.imdecode(np.frombuffer(two_faces(), np.uint8), cv2.IMREAD_COLOR))
    return ", ".join(f"{i}: happy {reading.probabilities['happy']:.0%}" for i, reading in enumerate(readings, 1))


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(EmotionReader())
    yield session
    session.close()


def test_every_face_is_drawn_and_named_and_one_is_chosen(session: Session) -> None:
    answer = session.read(two_faces())
    assert answer.text == two_happy()
    drawn = cv2.imdecode(np.frombuffer(answer.jpeg or b"", np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (512, 1024, 3)
    assert all(
        np.abs(drawn[face.box.y].astype(int) - cv2.imread(str(PORTRAIT))[face.box.y, 0]).max() > 60
        for face in (reading.face for reading in answer.readings)
    )
    assert session.chosen_reading() is answer.readings[0]
    session.chosen = 2
    assert session.chosen_reading() is answer.readings[1]
    session.chosen = 7  # has gone
    assert session.chosen_reading() is answer.readings[0]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "expected a picture, cannot decode what was sent"),
        (b"<svg onload=alert(1)>", "expected a picture, cannot decode what was sent"),
        (png_header(60000, 60000), "expected a picture of at most 100 million pixels"),
        (png_header(10000, 6000), "expected a picture of at most 50 million pixels"),
        (png_header(64, 64), "cannot decode what was sent"),
        (PORTRAIT.read_bytes()[:20000], "expected a whole picture"),
    ],
)
@pytest.mark.parametrize("how", ["read", "follow"])
def test_what_is_no_picture_is_refused_in_words(session: Session, data: bytes, text: str, how: str) -> None:
    answer = getattr(session, how)(data)
    assert answer.text.startswith(text)
    assert (answer.jpeg, answer.readings, session.chosen_reading()) == (None, (), None)
    assert "found none" in session.calibrate()


def test_a_picture_without_a_face_says_so(session: Session) -> None:
    answer = session.read(png(np.full((200, 300, 3), 90, np.uint8)))
    assert answer.text == "no face found"
    assert answer.jpeg
    assert session.calibrate().startswith("expected")


def test_a_neutral_face_corrects_pictures_and_the_camera_until_it_is_forgotten() -> None:
    portrait = PORTRAIT.read_bytes()
    sessions = Sessions(EmotionReader)
    before = sessions.get("a").read(portrait).text
    assert sessions.get("a").calibrate().startswith("from now on")
    for answer in (sessions.get("a").read(portrait), sessions.get("a").follow(portrait)):
        assert not answer.text.startswith("1: happy")  # this smile is now the face at rest
        assert answer.text.endswith("(corrected by your neutral face)")
    sessions.end("a")
    assert sessions.get("a").read(portrait).text == before
    sessions.close()


def test_visitors_of_long_ago_are_forgotten() -> None:
    readers: list[Any] = []

    def open_reader() -> Any:
        readers.append(SimpleNamespace(closed=False))
        reader = readers[-1]
        reader.close = lambda: setattr(reader, "closed", True)
        return reader

    sessions = Sessions(open_reader)
    for i in range(MAX_SESSIONS + 2):
        sessions.get(str(i))
        sessions.get("0")  # comes again and again
    assert [reader.closed for reader in readers] == [False, True, True] + [False] * (MAX_SESSIONS - 1)
    sessions.close()
    assert all(reader.closed for reader in readers)


def test_an_uncertain_face_is_called_so_above_its_probabilities() -> None:
    values = EmotionProbabilities(happy=0.35, sad=0.3, neutral=0.2, angry=0.15)
    shown = page.scores_of(Reading(1, Face(Box(0, 0, 9, 9)), values, "uncertain"))
    assert shown["label"] == "uncertain"
    assert [item["label"] for item in shown["confidences"]] == ["happy", "sad", "neutral", "angry"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"data:image/jpeg;base64,{base64.b64encode(b'abc').decode()}", b"abc"),
        ("data:image/jpeg;base64,???", b"???"),
        ("data:image/jpeg,abc", b""),
        ("http://169.254.169.254/", b"file"),  # never fetched
    ],
)
def test_what_was_sent_is_taken_as_it_came(tmp_path: Path, url: str, expected: bytes) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"file")
    assert page.sent_bytes(SimpleNamespace(url=url, path=str(file))) == expected
    assert page.sent_bytes(None) is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "70000"], "expected a whole number from 0 to 65535"),
        (["--host", "no such host"], "expected an address of this machine"),
        (["--host", "192.0.2.1", "--port", "0"], "cannot serve on 192.0.2.1"),
        (["--model", "none.tflite"], "none.tflite"),
        (["--detector-model", "none.onnx"], "none.onnx"),
    ],
)
def test_wrong_options_are_one_line(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not importlib.util.find_spec("gradio"):  # an import would take seconds
        pytest.skip("needs the extra app")
    try:
        status: object = command.main(arguments)
    except SystemExit as end:  # from argparse
        status = end.code
    assert status == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_without_gradio_the_command_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gradio" else find_spec(name))
    assert command.main([]) == 2
    assert capsys.readouterr().err == "error: needs gradio, which is not installed; run: pip install '.[app]'\n"


def test_the_gate_asks_for_the_token_and_limits_what_is_sent() -> None:
    pytest.importorskip("starlette", reason="needs the extra app")
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def size(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    app = Starlette(routes=[Route(path, size, methods=["GET", "POST"]) for path in ("/", STARTUP, "/a")])
    access = Access(frozenset(["pi.local"]), Address.of("0.0.0.0", 1).ip, "secret-of-16-characters")
    client = TestClient(Gate(app, access), "http://pi.local")
    assert client.get("/").status_code == 401
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get(STARTUP).status_code == 200
    first = client.get("/?token=secret-of-16-characters", follow_redirects=False)
    assert (first.status_code, "secret" in first.headers["set-cookie"]) == (303, False)
    answer = client.post("/a", content=b"12345")
    assert answer.text == "5"
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert client.post("/a", content=b"1", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/a", content=bytes(MAX_BODY + 1)).status_code == 413
    with pytest.raises(Exception, match=r"^$"):  # the connection ends
        client.post("/a", content=(bytes(1 << 20) for _ in range(MAX_BODY // (1 << 20) + 2)))
    public = TestClient(Gate(app, None), "http://name.hf.space").get("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert public.status_code == 200
    assert "frame-ancestors" not in public.headers["content-security-policy"]


def test_the_files_of_a_space_are_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    document = (ROOT / "docs" / "app.md").read_text(encoding="utf-8")
    package = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", document, re.S))
    assert all(f'"{requirement}"' in package for requirement in blocks["text"].split())
    assert re.search(r"sdk_version: (\d+\.\d+)", blocks["yaml"])[1] in package  # type: ignore[index]
    arguments: list[str] = []
    monkeypatch.setattr(command, "main", arguments.extend)
    with pytest.raises(SystemExit):
        exec(blocks["python"], {})
    assert command.parse_args(arguments).host == "0.0.0.0"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if not importlib.util.find_spec("gradio"):
        pytest.skip("needs the extra app")
    with command.serving(replace(command.parse_args([]), port=0)) as address:
        yield address


def wait_for(browser: chromium.Page, condition: str) -> None:
    end_s = time.monotonic() + 60
    while not browser.evaluate(condition):
        assert time.monotonic() < end_s, condition
        time.sleep(0.1)


def click(browser: chromium.Page, text: str, kind: str = "button") -> None:
    button = f"[...document.querySelectorAll('{kind}')].find(b => b.offsetParent && b.textContent.includes('{text}'))"
    wait_for(browser, f"!!{button}")
    browser.evaluate(f"{button}.click()")


@pytest.mark.slow
def test_the_page_reads_pictures_and_the_camera_and_loads_nothing_from_elsewhere(url: str, tmp_path: Path) -> None:
    clip, crowd, damaged = tmp_path / "demo.mjpeg", tmp_path / "two.png", tmp_path / "damaged.jpg"
    clip.write_bytes(b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in demo_images(2)))
    crowd.write_bytes(two_faces())
    damaged.write_bytes(PORTRAIT.read_bytes()[:20000])
    text = "document.querySelector('#text textarea, #text input')?.value"
    with chromium.open_page(url, [f"--use-file-for-fake-video-capture={clip}"]) as browser:
        wait_for(browser, "!!document.querySelector('#scores')")
        for file, expected in ((damaged, "expected a whole picture"), (crowd, two_happy())):
            root = browser.command("DOM.getDocument")["root"]["nodeId"]
            field = browser.command("DOM.querySelector", nodeId=root, selector="input[type=file]")["nodeId"]
            browser.command("DOM.setFileInputFiles", nodeId=field, files=[str(file)])
            wait_for(browser, f"{text}.startsWith('{expected}')")
        wait_for(browser, "document.querySelectorAll('#face input').length === 2")
        assert browser.evaluate("document.querySelector('#shown img').src.startsWith('data:image/jpeg')")
        click(browser, "This is my neutral face")
        wait_for(browser, f"{text}.startsWith('from now on')")
        click(browser, "Camera", "button[role=tab]")
        click(browser, "Webcam")
        click(browser, "Record")
        wait_for(browser, f"{text}.startsWith('1: ') && {text}.includes('corrected')")
        click(browser, "Forget me")
        wait_for(browser, f"/^1: happy \\d+%$/.test({text})")  # the camera goes on
        for width, height in ((360, 780), (1280, 800)):
            browser.resize(width, height)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
        click(browser, "Stop")
        names = browser.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
        assert [name for name in names if not name.startswith((url, "data:", "blob:"))] == []
        refused = [message for message in browser.console if "Content Security Policy" in str(message)]
        assert refused == []


@pytest.mark.slow
def test_the_server_refuses_other_hosts_and_long_pictures(url: str) -> None:
    long = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n' + bytes(MAX_PICTURE + 1)
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    for request, status in (
        (urllib.request.Request(f"{url}gradio_api/upload", long + b"\r\n--b--\r\n", multipart), 413),
        (urllib.request.Request(url, headers={"Host": "evil.example"}), 421),
        (urllib.request.Request(f"{url}gradio_api/runs"), 404),
        (urllib.request.Request(f"{url}monitoring"), 403),
    ):
        with pytest.raises(urllib.error.HTTPError, match=str(status)):
            urllib.request.urlopen(request, timeout=60)

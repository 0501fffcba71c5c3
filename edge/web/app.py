"""Answer the requests of the live page: the page, the streams, and the interfaces for programs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.browser.serving import BrowserDemo
from edge.errors import EmotionError
from edge.picture import PictureTooLarge, decode_picture
from edge.reader import EmotionReader
from edge.report.page import colours_of
from edge.sinks.background import NO_PICTURE
from edge.sinks.base import ReadPicture
from edge.sinks.events import event
from edge.values import Frame
from edge.web.access import HEADERS, Access, Guard
from edge.web.hub import BOUNDARY, Hub, Shot
from edge.web.metrics import MEDIA_TYPE, metrics
from edge.web.picture_reader import Busy, PictureReader, sent_header

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

PAGE = Path(__file__).with_name("page.html")
PARTS = ("look.css", "cards.js")  # files that it shares with the browser demo
SILENT_S = 10.0  # without any frame, the camera counts as lost
EVENT_INTERVAL_S = 0.1  # between two states of a stream
MAX_PICTURE = 16_000_000  # bytes of a picture that is sent to be read
BODY_TIMEOUT_S = 15.0  # for a picture to arrive
SENT = "the request's body"
CLOSE = {"Connection": "close"}  # the rest of the request is not read


def open_app(
    hub: Hub,
    access: Access,
    labels: tuple[str, ...],
    open_reader: Callable[[], ReadPicture] | None = None,
    hides_faces: bool = False,
) -> ASGIApp:
    """Return the application; `labels` are the model's, `open_reader` opens a reader of single pictures."""
    reader = PictureReader(open_reader or (lambda: EmotionReader().read))
    return Guard(_Pages(hub, labels, reader, hides_faces).routes(), access)


class _Pages:
    """Hold what the endpoints share."""

    def __init__(self, hub: Hub, labels: tuple[str, ...], reader: PictureReader, hides_faces: bool) -> None:
        from starlette import responses

        self._http = responses
        self._hub = hub
        self._labels = labels
        self._reader = reader
        self._start = {
            "labels": labels,
            "colours": colours_of(labels),
            "blur": hides_faces,
        }
        self._page = whole_page()
        self._policy = {"Content-Security-Policy": page_policy(self._page)}

    def routes(self) -> Starlette:
        """Return the application without its guard."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        get = {
            "/": self.page,
            "/stream.mjpg": self.stream,
            "/snapshot.jpg": self.snapshot,
            "/events": self.events,
            "/api/state": self.state,
            "/healthz": self.health,
            "/metrics": self.metrics,
        }
        routes = [Route(path, endpoint) for path, endpoint in get.items()]
        routes += [Route(path, endpoint) for path, endpoint in BrowserDemo().pages().items()]
        return Starlette(routes=[*routes, Route("/api/read", self.read, methods=["POST"])])

    async def page(self, request: Request) -> Response:
        """Return the page."""
        return self._http.HTMLResponse(self._page, headers=self._policy)

    async def stream(self, request: Request) -> Response:
        """Send pictures without end, as cameras do."""
        media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        if request.method == "HEAD":
            return self._http.Response(media_type=media_type)
        return self._http.StreamingResponse(self._pictures(), media_type=media_type)

    async def _pictures(self) -> AsyncIterator[bytes]:
        number = -1
        with self._hub.viewing("stream"):
            yield f"--{BOUNDARY}\r\n".encode()
            while not self._hub.closed:
                shot = self._hub.newest
                if shot is None or shot.number == number:
                    await self._hub.change()
                    continue
                number = shot.number
                await _encoded(shot)
                yield shot.part
                yield b""  # waits until the picture has left, and only then is the next one chosen

    async def snapshot(self, request: Request) -> Response:
        """Return the newest picture."""
        if self._hub.newest is None:
            return self._http.PlainTextResponse("no picture yet\n", 503, {"Retry-After": "1"})
        return self._http.Response((await _encoded(self._hub.newest)).jpeg, media_type="image/jpeg")

    async def events(self, request: Request) -> Response:
        """Send the state without end, at most ten times a second (server-sent events)."""
        if request.method == "HEAD":
            return self._http.Response(media_type="text/event-stream")
        return self._http.StreamingResponse(self._states(), media_type="text/event-stream")

    async def _states(self) -> AsyncIterator[str]:
        number = -1
        with self._hub.viewing("events"):
            start = json.dumps({**self._start, "history": self._hub.history()})
            yield f"retry: 2000\nevent: start\ndata: {start}\n\n"
            while not self._hub.closed:
                shot = self._hub.newest
                if shot is None or shot.number == number:
                    await self._hub.change()
                    if self._hub.newest is shot:
                        yield ": heartbeat\n\n"
                    continue
                number = shot.number
                yield f"data: {shot.text}\n\n"
                await asyncio.sleep(EVENT_INTERVAL_S)

    async def state(self, request: Request) -> Response:
        """Return the newest readings, and the state of the camera and of the run."""
        hub = self._hub
        state: dict[str, Any] = hub.newest.state if hub.newest else {"camera": "starting", "faces": []}
        if self._is_silent():
            state = {**state, "camera": "lost", "fps": 0.0}
        silence_ms = None if hub.silence_s is None else round(1000 * hub.silence_s, 1)
        counts = {"frames": hub.frames, "outages": hub.outages, "viewers": dict(hub.viewers), "silence_ms": silence_ms}
        return self._http.JSONResponse({**state, **counts, **self._start})

    async def health(self, request: Request) -> Response:
        """Return 200 while the camera gives pictures, else 503."""
        if self._is_live():
            return self._http.PlainTextResponse("ok\n")
        newest = self._hub.newest
        reason = "no picture yet" if newest is None else newest.frame.error or "camera lost: no frame"
        return self._http.PlainTextResponse(f"{reason}\n", 503)

    async def metrics(self, request: Request) -> Response:
        """Return the counts for Prometheus."""
        return self._http.Response(metrics(self._hub, self._labels, self._is_live()), media_type=MEDIA_TYPE)

    async def read(self, request: Request) -> Response:
        """Return the readings of the picture in the request's body."""
        try:
            data = await asyncio.wait_for(_body(request), BODY_TIMEOUT_S)
            if data is None:
                return self._error(413, f"expected a picture of at most {MAX_PICTURE // 1_000_000} MB", CLOSE)
            header = sent_header(data, SENT)
            readings = await self._reader.read(lambda: decode_picture(data, SENT, header=header))
        except asyncio.TimeoutError:
            return self._error(408, f"expected a picture within {BODY_TIMEOUT_S:.0f} s", CLOSE)
        except Busy as error:
            return self._error(503, str(error), {"Retry-After": str(error.retry_s)})
        except PictureTooLarge as error:
            return self._error(413, str(error))
        except EmotionError as error:
            return self._error(422, str(error))
        faces = event(Frame(0, 0.0, 0.0, NO_PICTURE), readings)["faces"]
        return self._http.JSONResponse({"faces": faces})

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        return self._http.JSONResponse({"error": message}, status, headers)

    def _is_silent(self) -> bool:
        return (self._hub.silence_s or 0.0) > SILENT_S

    def _is_live(self) -> bool:
        newest = self._hub.newest
        return newest is not None and not newest.frame.error and not self._is_silent()


def whole_page() -> str:
    """Return the page with its parts inside."""
    page = PAGE.read_text(encoding="utf-8")
    for name in PARTS:
        part = PAGE.with_name(name).read_text(encoding="utf-8")
        page = page.replace(f"/* {name} */", part.replace("export ", ""))  # the page's script is no module
    return page


def page_policy(page: str) -> str:
    """Return the Content-Security-Policy that allows the page's own style and script by their hashes, and no other."""
    allowed = [f"{kind}-src {_hash(page, tag)}" for kind, tag in (("style", "style"), ("script", "script"))]
    own = "img-src 'self' data:; connect-src 'self'"
    return f"{HEADERS['Content-Security-Policy']}; {own}; {'; '.join(allowed)}"


def _hash(page: str, tag: str) -> str:
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


async def _encoded(shot: Shot) -> Shot:
    """Encode the picture, unless the hub has done so for the viewers."""
    if "part" not in vars(shot):
        await asyncio.to_thread(shot.encode)
    return shot


async def _body(request: Request) -> bytes | None:
    """Return the body, None if it is too long."""
    data = bytearray()
    if int(request.headers.get("content-length", 0)) > MAX_PICTURE:
        return None
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_PICTURE:
            return None
    return bytes(data)

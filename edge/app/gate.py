"""Guard the app's server: who may use it, how much a visitor may send, and what the page may load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.web.access import HEADERS, Access, Guard
from edge.web.app import MAX_PICTURE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = MAX_PICTURE * 3 // 2  # bytes of a request: a picture as base64, which has 4 characters for 3 bytes
STARTUP = "/gradio_api/startup-events"  # Gradio's request to itself, which has no token
# Gradio's page has scripts and styles of its own in the HTML. Nothing may come from, or go to, another host.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self' data: blob:; font-src 'self' data:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'"
)
PAGE_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
PUBLIC_HEADERS = {"Content-Security-Policy": POLICY}  # the frame of a Hugging Face Space is another site's


class Gate:
    """Let through what `access` allows and is not too long; without `access`, anybody, as on a public link."""

    def __init__(self, app: ASGIApp, access: Access | None) -> None:
        self._app = app
        headers = PAGE_HEADERS if access else PUBLIC_HEADERS
        self._guard = Guard(app, access, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or scope.get("path") == STARTUP:
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if int(length) > MAX_BODY:
            from starlette.responses import PlainTextResponse

            message = f"expected at most {MAX_PICTURE // 1_000_000} MB; make the picture smaller\n"
            await PlainTextResponse(message, 413, {"Connection": "close"})(scope, receive, send)
            return
        await self._guard(scope, _limited(receive), send)


def _limited(receive: Receive) -> Receive:
    """Return `receive` that ends the request where a body without a length becomes too long."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= MAX_BODY else {"type": "http.disconnect"}

    return receive_some

"""Decide who may see the live page.

Three attacks are refused. A name that an attacker controls is pointed at this machine (DNS rebinding): the Host header
must be a name or address of this machine. Another page in the visitor's browser sends requests (CSRF) or shows our
pictures: Origin and Sec-Fetch-Site must be our own. Somebody on the network guesses the address: beyond loopback there
is a token, which the URL `/?token=...` exchanges for a cookie, so that it stays out of histories and logs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import UsageError
from edge.web.address import HOSTS_VARIABLE, Address

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_VARIABLE = "EDGE_EMOTION_TOKEN"
MIN_TOKEN = 16  # characters of a token that the user chooses
COOKIE_AGE_S = 30 * 24 * 3600
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Access:
    """Check requests: the names and addresses that the page answers to, and the token, None on loopback."""

    names: frozenset[str]
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address
    token: str | None = None
    shows_token: bool = False  # in the URL that is printed; not one from the environment, which a log would keep

    def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that may not pass, or None."""
        from starlette.responses import PlainTextResponse

        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse(
                f"expected this machine's address as host, found another name; {HOSTS_VARIABLE} adds names\n", 421
            )
        if _is_foreign(request, host):
            return PlainTextResponse("requests from other sites are refused\n", 403)
        return None if self.token is None else self._ask(request, self.token)

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this machine. No attacker controls what an IP address stands for."""
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:/@\[\]\s]+)(:\d{1,5})?", host)
        if not match:
            return False
        name = match[1].strip("[]").rstrip(".").lower()
        try:
            ip = ipaddress.ip_address(name)
        except ValueError:
            return name in self.names
        return self.ip.is_unspecified or ip == self.ip or (self.ip.is_loopback and ip.is_loopback)

    def _ask(self, request: Request, token: str) -> Response | None:
        """Ask for the token: in the URL of the page, in the cookie that it is exchanged for, or as a password."""
        from starlette.responses import PlainTextResponse, RedirectResponse

        name = f"edge_emotion_{request.scope['server'][1]}"  # cookies are shared by all ports
        given = request.query_params.get("token")
        if request.scope["path"] == "/" and given is not None and _equal(given, token):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(name, _cookie(token), COOKIE_AGE_S, path="/", httponly=True, samesite="strict")
            return answer
        cookie = request.cookies.get(name, "")
        if _equal(cookie, _cookie(token)) or _equal(_password(request.headers.get("authorization", "")), token):
            return None
        message = "open the URL with the token that the program printed at its start\n"
        return PlainTextResponse(message, 401, {"WWW-Authenticate": "Bearer"})


class Guard:
    """Let through what Access allows, and add headers to every answer that does not set them.

    Without `access`, as for a public page, everything passes.
    """

    def __init__(self, app: ASGIApp, access: Access | None, headers: Mapping[str, str] = HEADERS) -> None:
        self._app = app
        self._access = access
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        from starlette.datastructures import MutableHeaders
        from starlette.requests import Request

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        answer = (self._access and self._access.refusal(Request(scope))) or self._app
        await answer(scope, receive, send_with_headers)


def open_access(address: Address) -> Access:
    """Return the access to a page, with a new token beyond loopback or the one in the environment.

    Raises UsageError for a token that is too short.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if token is not None:
        if len(token) < MIN_TOKEN or not token.isascii():
            raise UsageError(f"expected {TOKEN_VARIABLE} of at least {MIN_TOKEN} ASCII characters, found {len(token)}")
        return Access(address.names(), address.ip, token)
    if address.is_private:
        return Access(address.names(), address.ip)
    return Access(address.names(), address.ip, secrets.token_urlsafe(32), shows_token=True)


def _is_foreign(request: Request, host: str) -> bool:
    """Return whether another site caused the request. A link from there to the page itself is no attack."""
    site = request.headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin"):
        is_link = request.headers.get("sec-fetch-mode") == "navigate" and request.method == "GET"
        return not (is_link and request.scope["path"] == "/")
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def _cookie(token: str) -> str:
    """Return the cookie's value, from which the token cannot be found."""
    return hmac.new(token.encode(), b"edge-emotion cookie", hashlib.sha256).hexdigest()


def _password(authorization: str) -> str:
    """Return the token of `Bearer TOKEN`, or the password of `Basic`, which cameras' viewers send."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return value if scheme.lower() == "bearer" else ""
    try:
        return base64.b64decode(value).decode().partition(":")[2]
    except ValueError:  # no base64, or no UTF-8
        return ""


def _equal(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())

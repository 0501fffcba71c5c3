"""Serve the browser demo next to the live page: it uses the camera of whoever opens it, not that of this machine."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge.browser.files import policy, site_files
from edge.browser.third_party import all_cached

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PREFIX = "/demo/"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}  # Windows may know others
OTHER_TYPE = "application/octet-stream"


class BrowserDemo:
    """Answer requests for the files of the site; with the third parties' files if the cache has them all."""

    def __init__(self) -> None:
        from starlette import responses

        self._http = responses

    def pages(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Return the endpoints by path."""
        return {PREFIX.rstrip("/"): self._redirect, PREFIX + "{name:path}": self._file}

    @functools.cached_property
    def _site(self) -> tuple[bool, dict[str, bytes | Path]]:
        """Return whether the site works offline, and its files; made at the first request, since it reads the model."""
        offline = all_cached()
        return offline, site_files(offline)

    async def _redirect(self, request: Request) -> Response:
        return self._http.RedirectResponse(PREFIX)

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"] or "index.html"
        offline, files = await asyncio.to_thread(lambda: self._site)
        if name not in files:
            return self._http.PlainTextResponse("no such file\n", 404)
        content = files[name]
        if isinstance(content, Path):
            content = await asyncio.to_thread(content.read_bytes)
        headers = {
            "Content-Security-Policy": f"{policy(offline)}; frame-ancestors 'none'",
            "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        }
        return self._http.Response(content, 200, headers, MEDIA_TYPES.get(Path(name).suffix, OTHER_TYPE))

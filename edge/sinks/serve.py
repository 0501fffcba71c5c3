"""Serve the live page: the picture, the readings and their history to browsers and programs (docs/live-page.md)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from types import TracebackType

from edge.errors import MissingExtra, OutputError
from edge.sinks.base import Delivery, Sink, SinkContext
from edge.values import Frame, Reading
from edge.web.access import open_access
from edge.web.address import Address
from edge.web.app import open_app
from edge.web.hub import Hub
from edge.web.server import Server


class Serve(Sink):
    """Serve the newest frame to any number of viewers, who never slow the loop."""

    needs_picture = True
    delivery = Delivery.NEWEST
    is_watched = True

    def __init__(self, target: str, context: SinkContext) -> None:
        self._address = Address.parse(target)
        for package in ("starlette", "uvicorn"):
            if importlib.util.find_spec(package) is None:
                raise MissingExtra(package, "serve")
        self.name = f"the live page on port {self._address.port}"
        self._access = open_access(self._address)
        self._context = context

    def __enter__(self) -> Serve:
        self._hub = Hub()
        context = self._context
        app = open_app(self._hub, self._access, context.labels, context.open_reader, context.hides_faces)
        listener = self._address.listen()
        self.port = int(listener.getsockname()[1])
        self._server = Server(app, listener, self._hub)
        self._server.start()
        url = self._address.url(self.port)
        token = f"?token={self._access.token}" if self._access.shows_token else ""
        print(f"live page: {url}{token}", file=sys.stderr, flush=True)
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if not self._server.is_running:
            raise OutputError("the live page's server has ended; start the program again")
        self._hub.publish(frame, readings)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()

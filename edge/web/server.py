"""Run the live page's server in a thread of its own, and let no viewer hold it up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

from edge.web.hub import Hub

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STALLED_S = 10.0  # without taking any of what waits for it, a viewer is dropped
REQUEST_S = 10.0  # for the head of the first request
STOP_S = 0.8  # for all viewers to be gone
MAX_CONNECTIONS = 512
MAX_HEAD = 16 * 1024  # bytes of a request's head


class Watched:
    """Drop a viewer that sends no request, or no longer takes what it asked for; extends uvicorn's H11Protocol."""

    cycle: Any  # the request that is being answered, or was last; None before the first one
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        """Hand the system one picture at a time: what waits here is stale by the time it leaves."""
        super().connection_made(transport)  # type: ignore[misc]
        transport.set_write_buffer_limits(high=0)
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: notices a viewer that vanished, small as the answers may be
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * STALLED_S))
        self._taking: asyncio.TimerHandle | None = None  # while something waits for the viewer
        self._asking = self.loop.call_later(REQUEST_S, self._drop_silent)

    def on_response_complete(self) -> None:
        """Give the viewer time for its next request."""
        super().on_response_complete()  # type: ignore[misc]
        self._asking.cancel()
        self._asking = self.loop.call_later(REQUEST_S, self._drop_silent)

    def _drop_silent(self) -> None:
        if (self.cycle is None or self.cycle.response_complete) and not self._taking:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Watch a viewer for which something waits."""
        super().pause_writing()  # type: ignore[misc]
        self._watch(self.transport.get_write_buffer_size())

    def _watch(self, waiting: int) -> None:
        self._taking = self.loop.call_later(STALLED_S, self._drop_stalled, waiting)

    def _drop_stalled(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:  # bytes: slow, but alive
            self._watch(waiting)
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Stop watching: the viewer took everything."""
        super().resume_writing()  # type: ignore[misc]
        self._stop_watching()

    def _stop_watching(self) -> None:
        if self._taking:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the viewer."""
        self._asking.cancel()
        super().connection_lost(exc)  # type: ignore[misc]
        self._stop_watching()

    def shutdown(self) -> None:
        """End the connection at the end of the run; at once, if something waits for the viewer."""
        super().shutdown()  # type: ignore[misc]
        if self._taking:
            self.transport.abort()


class Server:
    """Serve an application from an open socket."""

    def __init__(self, app: ASGIApp, listener: socket.socket, hub: Hub) -> None:
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol

        class ViewerProtocol(Watched, H11Protocol):
            """Speak HTTP to one viewer."""

        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=ViewerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,  # addresses hold the token
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MAX_HEAD,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._hub = hub
        self._thread = threading.Thread(target=self._run, name="live page", daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        hub = asyncio.create_task(self._hub.run())
        await self._server.serve(sockets=[self._listener])
        await hub

    @property
    def is_running(self) -> bool:
        """Return whether the thread lives."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End all streams and the thread, within STOP_S."""
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it reports a request that is cut off
        self._hub.close()
        self._server.should_exit = True
        self._thread.join(STOP_S)

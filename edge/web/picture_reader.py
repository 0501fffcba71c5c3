"""Read pictures that are sent to the page, without slowing the loop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from edge.picture import check_size, read_header
from edge.picture_header import Header
from edge.sinks.base import ReadPicture
from edge.values import Image, Reading

MAX_PIXELS = 50_000_000  # of a picture: 150 MB, when it is decoded
MAX_WAITING = 4  # pictures, since each is held in memory
MAX_WAIT_S = 2.0
REST = 3  # times as long as a picture took, it rests: pictures get at most a quarter of one core

Result = TypeVar("Result")


def sent_header(data: bytes, name: str) -> Header:
    """Return the header of a picture that a visitor sent; raise SourceError, or PictureTooLarge above MAX_PIXELS."""
    header = read_header(data, name)
    if header.size:
        check_size(header.size, name, MAX_PIXELS)
    return header


class Busy(Exception):
    """Report that pictures come faster than they are read. `retry_s` is in whole seconds."""

    def __init__(self) -> None:
        super().__init__("other pictures are being read; try again")
        self.retry_s = math.ceil(MAX_WAIT_S)


class PictureReader:
    """Read one picture at a time with an interpreter of its own, opened at the first one."""

    def __init__(self, open_reader: Callable[[], ReadPicture]) -> None:
        self._open = open_reader
        self._read: ReadPicture | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._free_s = 0.0  # when the next picture may be read

    async def read(self, decode: Callable[[], Image]) -> Sequence[Reading]:
        """Return the readings of the picture that `decode` returns. Raises Busy, or what `decode` raises."""
        async with self._turn():
            start_s = time.monotonic()
            try:
                return await _in_thread(lambda: self._open_once()(decode()))
            finally:
                now_s = time.monotonic()
                self._free_s = now_s + REST * (now_s - start_s)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a turn, at most MAX_WAIT_S."""
        if self._waiting >= MAX_WAITING:
            raise Busy
        self._waiting += 1
        try:
            await asyncio.wait_for(self._lock.acquire(), MAX_WAIT_S)
        except asyncio.TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1
        try:
            rest_s = self._free_s - time.monotonic()
            if rest_s > MAX_WAIT_S:
                raise Busy
            await asyncio.sleep(max(0.0, rest_s))
            yield
        finally:
            self._lock.release()

    def _open_once(self) -> ReadPicture:
        if self._read is None:
            self._read = self._open()
        return self._read


async def _in_thread(function: Callable[[], Result]) -> Result:
    """Run a function in a daemon thread: the end of the program does not wait for a picture."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def deliver(result: Result | None, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            outcome = (function(), None)
        except Exception as error:
            outcome = (None, error)  # type: ignore[assignment]
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            loop.call_soon_threadsafe(deliver, *outcome)

    threading.Thread(target=run, name="picture", daemon=True).start()
    return await future

"""Write text piece by piece to a file, a pipe or standard output."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
from pathlib import Path

from edge.errors import OutputError
from edge.stopping import POLL_S, Stop

STANDARD_OUTPUT = "standard output"
STANDARD_OUTPUTS = ("-", "/dev/stdout")  # opened anew, the second would empty the file that it is redirected to
PIPE_BUF = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes without blocking once it is ready
NEW_FILE = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)


class Outlet:
    """Write whole pieces, and do not block beyond the end of the run.

    A piece that a full disk has no room for is taken back. A pipe is written when its reader is ready, and a named pipe
    is opened when it has a reader. The first piece empties an existing file, but for its first `kept` bytes: opening it
    does not. Raises OSError, and OutputError if a reader has not taken a piece when the run ends.
    """

    def __init__(self, target: str, stop: Stop, encoding: str = "utf-8", kept: int = 0) -> None:
        self.name = STANDARD_OUTPUT if target in STANDARD_OUTPUTS else target
        self.has_started = False  # the first piece was tried
        self._target = target
        self._stop = stop
        self._encoding = encoding
        self._kept = kept
        self._descriptor: int | None = None
        self._is_new = False

    def open(self) -> None:
        """Open the target, unless it is a named pipe."""
        if self._target in STANDARD_OUTPUTS:
            self._descriptor = _duplicate_standard_output()
        elif not _is_named_pipe(self._target):
            self._is_new = not Path(self._target).exists()
            self._descriptor = os.open(self._target, NEW_FILE, 0o666)

    def write(self, text: str) -> None:
        """Write a piece; a lone surrogate in a file's name is written as an escape sequence."""
        descriptor = self._open_named_pipe() if self._descriptor is None else self._descriptor
        data = text.encode(self._encoding, "backslashreplace")
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if is_file and not self.has_started and self._target not in STANDARD_OUTPUTS:
            os.ftruncate(descriptor, self._kept)
            os.lseek(descriptor, self._kept, os.SEEK_SET)
        self.has_started = True
        if is_file:
            _write_whole(descriptor, data)
        else:
            self._write_when_ready(descriptor, data)

    def hurry(self) -> None:
        """Wait for a reader from now on only as long as at the end of the run."""
        self._stop = Stop()
        self._stop.set()

    def _open_named_pipe(self) -> int:
        """Wait until somebody reads the pipe; then open it."""
        while self._descriptor is None:
            try:
                self._descriptor = os.open(self._target, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                if self._stop.wait(POLL_S):
                    raise OutputError(f"cannot write to {self.name}: nobody reads this pipe") from error
        return self._descriptor

    def _write_when_ready(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if _is_ready(descriptor):
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(descriptor, rest[:PIPE_BUF]) :]
            elif self._stop.grace_is_over():
                raise OutputError(f"cannot write to {self.name}: its reader does not take what was written")

    def close(self) -> None:
        """Close the target; delete a file that was made for nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._is_new and not self.has_started:
            Path(self._target).unlink(missing_ok=True)


def _is_named_pipe(target: str) -> bool:
    try:
        return stat.S_ISFIFO(Path(target).stat().st_mode)
    except OSError:  # it does not exist yet, or opening it will say why
        return False


def _duplicate_standard_output() -> int:
    """Return standard output as a descriptor of its own: a thread stuck in writing must not hold sys.stdout's lock."""
    if sys.stdout is None:  # a program without a console
        return os.open(os.devnull, os.O_WRONLY)
    sys.stdout.flush()
    try:
        return os.dup(sys.stdout.fileno())
    except io.UnsupportedOperation:  # replaced by an object without one, as notebooks do
        return os.dup(1)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of the data to a file, or none of it."""
    written = 0
    try:
        while written < len(data):  # a full disk takes a part, and raises at the next attempt
            written += os.write(descriptor, data[written:])
    except OSError:
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        if written and end == os.fstat(descriptor).st_size:  # nobody else has written since
            os.ftruncate(descriptor, end - written)
            os.lseek(descriptor, end - written, os.SEEK_SET)
        raise


def _is_ready(descriptor: int) -> bool:
    """Wait up to POLL_S for a pipe or terminal to be ready for PIPE_BUF bytes; True where that cannot be known."""
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(round(1000 * POLL_S)))

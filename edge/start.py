"""Start and end the process of the command line, whatever state it is in.

Nothing heavy is imported before signals are handled, so that Ctrl-C ends the start without a traceback. At the end, a
thread may be stuck in a driver; Python's own end would tear it out of C++ code, which aborts the process.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Any, NoReturn, TextIO, cast

from edge.errors import exit_status
from edge.stopping import GRACE_S, SIGNALS, handle_signals


def command() -> NoReturn:
    """Run the command of sys.argv, and end the process with its exit status."""
    _open_standard_streams()
    handle_signals(_interrupt)
    watchdog = _start_watchdog() if os.name == "posix" else None
    try:
        status = exit_status(_main)
    except SystemExit as end:  # from argparse
        status = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
        status = 1
    _end(status, watchdog)


def _main() -> int:
    from edge.__main__ import main

    return main()


class _Unfailing:
    """Write to a stream that may be gone or full, as a log on a full disk: a message must not end the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _open_standard_streams() -> None:
    """Open the null device where a standard stream is closed: else the next file that is opened would take its place.

    Characters that a terminal cannot show are written as escape sequences.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = cast(TextIO, _Unfailing(stderr))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; during an import, where it might become another error, end the process at once."""
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _end_now(number)
        frame = frame.f_back
    raise KeyboardInterrupt(number)


def _end_now(number: int) -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(128 + number)


def _start_watchdog() -> int:
    """Start a thread that ends the process if a signal cannot: while it opens a stream, Python handles none.

    Return the descriptor whose closing ends the thread. While a run handles the signals itself, the thread gets none.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(reading, 1):
            if number[0] in SIGNALS:
                time.sleep(GRACE_S)
                _end_now(number[0])

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
    return writing


def _end(status: int, watchdog: int | None) -> NoReturn:
    """End the process, by force if another thread is still running."""
    try:
        sys.stdout.flush()
    except OSError:  # would be reported once more by Python's own end
        os._exit(status or 1)
    sys.stderr.flush()
    if any(thread.name != "watchdog" and thread is not threading.main_thread() for thread in threading.enumerate()):
        os._exit(status)
    raise SystemExit(status)

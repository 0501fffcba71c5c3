"""Start and end the process of the command line, whatever state it is in.

Signals are handled before anything else is imported, so that Ctrl-C ends the start without a traceback. At the end, a
thread may be stuck in a driver; Python's own end would tear it out of C++ code, which aborts the process.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threading import Thread
    from types import FrameType
    from typing import Any, NoReturn, TextIO


def command() -> NoReturn:
    """Run the command of sys.argv, and end the process with its exit status."""
    signal.signal(signal.SIGINT, _end_now)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start a thread for each core, all of them idle
    from edge.errors import exit_status
    from edge.stopping import handle_signals

    _open_standard_streams()
    watchdog = _start_watchdog() if os.name == "posix" else None
    handle_signals(_interrupt)
    try:
        status = exit_status(_main)
    except SystemExit as end:  # from argparse
        status = end.code if isinstance(end.code, int) else 0
    except BaseException:
        import traceback

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
        try:
            return self._stream.write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            return

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
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr = _Unfailing(stderr)  # type: ignore[assignment]


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; during an import, where it might become another error, end the process at once."""
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _end_now(number)
        frame = frame.f_back
    raise KeyboardInterrupt(number)


def _end_now(number: int, _: FrameType | None = None) -> NoReturn:
    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(128 + number)


def _start_watchdog() -> Thread:
    """Start a thread that ends the process if a signal cannot: while OpenCV opens a stream, Python handles none.

    A run that handles signals itself is left alone: stop_on_signals sees to it.
    """
    import threading
    import time

    from edge.stopping import GRACE_S, SIGNALS

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def watch() -> None:
        while number := os.read(reading, 1):
            if number[0] in SIGNALS:
                time.sleep(GRACE_S)
                _end_now(number[0])

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    return thread


def _end(status: int, watchdog: Thread | None) -> NoReturn:
    """End the process, by force if a thread other than the watchdog is still running."""
    import threading

    try:
        sys.stdout.flush()
    except OSError as error:
        if not status and not isinstance(error, BrokenPipeError):
            status = 2
            print(f"error: cannot write to standard output: {error.strerror}", file=sys.stderr)
        os._exit(status or 1)  # Python's own end would try and report it once more
    sys.stderr.flush()
    if set(threading.enumerate()) - {threading.main_thread(), watchdog}:
        os._exit(status)
    raise SystemExit(status)

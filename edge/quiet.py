"""Hold back what native libraries write to the terminal, and show it if something fails.

Native libraries bypass sys.stdout and sys.stderr, so the file descriptors themselves are redirected. This affects all
threads of the process.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from edge.errors import EmotionError

# What libjpeg and libpng write while OpenCV decodes, as they have no other way to report; and that WebM knows no tags.
NATIVE_LINE = re.compile(
    rb"libpng |OpenCV: FFMPEG: |(Corrupt|Premature|Inconsistent|Invalid|Unsupported|Unknown|Warning: unknown) "
)
_one_at_a_time = threading.RLock()  # a second thread would save the temporary file as if it were the terminal
_unused: list[IO[bytes]] = []  # temporary files, since making one takes longer than decoding a face


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the output to file descriptors 1 and 2; replay it on stderr if an unexpected exception is raised."""
    with _held(1, 2) as output:
        try:
            yield
        except (EmotionError, KeyboardInterrupt):  # the one line of the error is enough
            output.truncate(0)
            raise
        output.truncate(0)


@contextlib.contextmanager
def native_lines() -> Iterator[list[str]]:
    """Hold back what NATIVE_LINE describes from stderr; when the context ends, the list holds these lines.

    Lines of others, as another thread's messages, reach stderr then.
    """
    lines: list[str] = []
    with _held(2) as output:
        try:
            yield lines
        finally:
            _flush()
            written = _content(output).splitlines(keepends=True)
            if written:
                lines += [line.decode(errors="replace").strip() for line in written if NATIVE_LINE.match(line)]
                output.truncate(0)
                output.seek(0)
                output.writelines(line for line in written if not NATIVE_LINE.match(line))


@contextlib.contextmanager
def _held(*descriptors: int) -> Iterator[IO[bytes]]:
    """Send these file descriptors to a temporary file; what it holds at the end is written to stderr."""
    with _one_at_a_time:
        output = _unused.pop() if _unused else _temporary_file()
        _flush()
        saved = {}
        for descriptor in descriptors:
            with contextlib.suppress(OSError):  # a service may run without
                saved[descriptor] = os.dup(descriptor)
                os.dup2(output.fileno(), descriptor)
        try:
            yield output
        finally:
            _flush()
            for descriptor, copy in saved.items():
                os.dup2(copy, descriptor)
                os.close(copy)
            rest = _content(output)
            output.truncate(0)
            output.seek(0)
            _unused.append(output)
            if rest and sys.stderr:
                sys.stderr.write(rest.decode(errors="replace"))


def _content(output: IO[bytes]) -> bytes:
    output.seek(0)
    return output.read()


def _temporary_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):  # needs no folder for temporary files
        return os.fdopen(os.memfd_create("output"), "w+b", buffering=0)
    import tempfile

    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:  # no folder takes one: nothing can be shown
        return Path(os.devnull).open("w+b", buffering=0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # full, gone or closed: not the caller's business
            if stream:
                stream.flush()

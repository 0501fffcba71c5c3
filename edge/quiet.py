"""Hold back what native libraries write to the terminal, and show it if something fails."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from edge.errors import EmotionError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the output to file descriptors 1 and 2; replay it on stderr if an unexpected exception is raised.

    Native libraries bypass sys.stdout and sys.stderr, so the descriptors themselves are redirected. This affects all
    threads of the process.
    """
    _flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    with tempfile.TemporaryFile() as output:
        for descriptor in saved:
            os.dup2(output.fileno(), descriptor)
        unexpected = False
        try:
            yield
        except (EmotionError, KeyboardInterrupt):  # the one line of the error is enough
            raise
        except BaseException:
            unexpected = True
            raise
        finally:
            _flush()
            for descriptor, copy in saved.items():
                os.dup2(copy, descriptor)
                os.close(copy)
            if unexpected:
                output.seek(0)
                sys.stderr.write(output.read().decode(errors="replace"))


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()

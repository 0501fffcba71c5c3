"""Native libraries write to the terminal past Python: their chatter is held back, and shown where something failed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from edge.errors import EmotionError


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to file descriptors 1 and 2 inside; replay it if something unexpected leaves."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(fd, os.dup(fd)) for fd in (1, 2)]
    with tempfile.TemporaryFile() as chatter:
        for fd, _ in kept:
            os.dup2(chatter.fileno(), fd)
        unexpected = False
        try:
            yield
        except (EmotionError, KeyboardInterrupt):  # one line says all that there is to say
            raise
        except BaseException:
            unexpected = True
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for fd, saved in kept:
                os.dup2(saved, fd)
                os.close(saved)
            if unexpected:
                chatter.seek(0)
                sys.stderr.write(chatter.read().decode(errors="replace"))

"""A process of our own that answers each line it is given with a line of JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from edge.errors import EmotionError


class Child:
    """The near end. `error` makes the error that tells why it does not answer."""

    def __init__(self, process: subprocess.Popen[str], said: IO[str], error: Callable[[str], EmotionError]) -> None:
        self._process, self._said, self._error = process, said, error

    def ask(self, line: str | None = None) -> Any:
        """Its answer to a line, or the next thing that it says unasked."""
        assert self._process.stdin
        assert self._process.stdout
        if line is not None:
            with contextlib.suppress(BrokenPipeError):
                print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        try:
            return json.loads(answer)
        except ValueError:
            raise self._error(self._why(answer)) from None

    def _why(self, answer: str) -> str:
        if answer:
            return f"it says {answer.strip()[:80]!r}"
        status = self._process.wait()
        self._said.seek(0)
        last = (self._said.read().strip().splitlines() or [""])[-1]
        return last or (f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}")


@contextlib.contextmanager
def open_child(
    command: Sequence[str], error: Callable[[str], EmotionError], environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start it, and end it at the end, whatever happens in between."""
    with tempfile.TemporaryFile("w+") as said:
        try:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True
            )
        except OSError as reason:
            raise error(str(reason)) from None
        try:
            yield Child(process, said, error)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):  # of a line that it did not live to read
                    pipe.close()  # type: ignore[union-attr]

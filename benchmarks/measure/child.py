"""Run a child process that answers each line of input with one line of JSON."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any

from edge.errors import EmotionError


class Child:
    """Hold our end of the pipes. `error` turns the reason why there is no answer into the exception to raise."""

    def __init__(self, process: subprocess.Popen[str], stderr: IO[str], error: Callable[[str], EmotionError]) -> None:
        self._process = process
        self._stderr = stderr
        self._error = error

    def ask(self, line: str | None = None) -> Any:
        """Send a line, if there is one, and return the next answer."""
        assert self._process.stdin
        assert self._process.stdout
        if line is not None:
            with contextlib.suppress(BrokenPipeError):  # reported below, when there is no answer
                print(line, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        try:
            return json.loads(answer)
        except ValueError:
            raise self._error(self._reason(answer)) from None

    def _reason(self, answer: str) -> str:
        if answer:
            return f"expected a line of JSON, found {answer.strip()[:80]!r}"
        status = self._process.wait()
        self._stderr.seek(0)
        last_line = (self._stderr.read().strip().splitlines() or [""])[-1]
        return last_line or (f"killed by signal {-status}" if status < 0 else f"it ended with status {status}")


@contextlib.contextmanager
def open_child(
    command: Sequence[str], error: Callable[[str], EmotionError], environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start the process, and kill it at the end whatever happens in between."""
    with tempfile.TemporaryFile("w+") as stderr:
        try:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        except OSError as reason:
            raise error(str(reason)) from None
        try:
            yield Child(process, stderr, error)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(BrokenPipeError):  # a line in the buffer that the process never read
                    pipe.close()  # type: ignore[union-attr]

"""Progress of long work, for whoever watches it in a terminal: bars where rich is installed, else a line a stage."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Advance = Callable[[], None]  # one step of a stage is done


def nothing() -> None:
    """An Advance for whoever shows no progress."""


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int], Advance]]:
    """Gives a function that opens a stage (name, steps in all) and returns its Advance."""
    if not sys.stderr.isatty():
        yield lambda name, total: nothing
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:

        def line(name: str, total: int) -> Advance:
            print(f"{name} ...", file=sys.stderr)
            return nothing

        yield line
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def bar(name: str, total: int) -> Advance:
            task = bars.add_task(name, total=total)
            return lambda: bars.advance(task)

        yield bar

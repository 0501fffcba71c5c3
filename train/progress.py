"""Show the progress of long work in a terminal: bars if rich is installed, else one line per stage."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Advance = Callable[[], None]  # reports one finished step of a stage


def no_progress() -> None:
    """Report nothing: the default Advance."""


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int | None], Advance]]:
    """Yield a function that opens a stage (name, number of steps, None if unknown) and returns its Advance."""
    if not sys.stderr.isatty():
        yield lambda name, total: no_progress
        return
    try:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress
    except ImportError:

        def line(name: str, total: int | None) -> Advance:
            print(f"{name} ...", file=sys.stderr)
            return no_progress

        yield line
        return
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def bar(name: str, total: int | None) -> Advance:
            task = bars.add_task(name, total=total)
            return lambda: bars.advance(task)

        yield bar

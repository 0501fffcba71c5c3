"""Run the command line: `edge-emotion [COMMAND] ...`, `python -m edge` or `python edge/run.py`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from edge.start import command

    command()

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.errors import EmotionError, MissingExtra, UsageError, exit_status

COMMANDS = {  # name -> module with main(argv) -> exit status
    "run": "edge.run",
    "adopt": "edge.adopt",
    "app": "edge.app.command",
    "browser": "edge.browser.command",
    "collect": "edge.collect",
    "doctor": "edge.doctor.command",
    "report": "edge.report.command",
    "service": "edge.service.command",
}
DEFAULT_COMMAND = "run"
NAMED_SOURCES = ("demo", "picamera")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names, by default `run`; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments == ["--version"]:
        print(f"edge-emotion {version()}")
        return 0
    return exit_status(lambda: _dispatch(arguments))


def version() -> str:
    """Return the version of the installed package."""
    from importlib import metadata  # here: it takes a tenth of the start

    try:
        return metadata.version("edge-emotion")
    except metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"


def _dispatch(arguments: Sequence[str]) -> int:
    name = DEFAULT_COMMAND
    if arguments and arguments[0] in COMMANDS:
        name, *arguments = arguments
    elif arguments and not arguments[0].startswith("-"):
        _check_spelling(arguments[0])
    status: int = _load(COMMANDS[name]).main(arguments)
    return status


def _load(module: str) -> Any:
    """Import a command. Raises EmotionError if a package is missing, or does not exist for this machine."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "edge":
            raise
        from edge.support import machine_problem, python_problem, this_machine

        machine = this_machine()
        if problem := machine_problem(machine) or python_problem(machine):
            raise EmotionError(f"{problem.text}; {problem.fix}") from error
        raise MissingExtra(error.name, "headless") from error


def _check_spelling(text: str) -> None:
    """Raise UsageError for a text that is no file, but close to the name of a command or source."""
    if text in NAMED_SOURCES or Path(text).exists():
        return
    from difflib import get_close_matches

    matches = get_close_matches(text, [*COMMANDS, *NAMED_SOURCES], n=1)
    if matches:
        raise UsageError(f"expected a command or a source, found {text!r}; did you mean {matches[0]}?")

"""Parse command lines: help that shows defaults and examples, one-line errors, and checked types for arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from edge.redaction import redacted
from edge.untrusted import printable


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Show the default of each option that has one, and the module's docstring as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # `in (None, False, [])` would hide a default of 0, which equals False.
        has_default = action.default is not None and action.default is not False and action.default != []
        return super()._get_help_string(action) if has_default else action.help


class ArgumentParser(argparse.ArgumentParser):
    """Report a wrong command line in one line, with exit status 2."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=HelpFormatter)
        self._negative_number_matcher = re.compile(r"-\.?\d")  # -1..1 is a value, as in Python 3.14, not an option

    def given(self, argv: Sequence[str] | None = None) -> dict[str, str]:
        """Return the attributes that a command line sets, also to their defaults, each with its option: mix: --mix."""
        unset = argparse.Namespace(**{action.dest: None for action in self._actions})  # keeps the defaults out
        values = vars(self.parse_args(argv, unset))
        names = {action.dest: (action.option_strings or [action.dest])[-1] for action in self._actions}
        return {name: names[name] for name, value in values.items() if value is not None}

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {printable(redacted(message))}; see {self.prog} --help\n")


def whole(low: int, high: int = 10**9) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, found {text[:40]!r}")
        return value

    return parse


def positive(text: str) -> float:
    """Parse a finite number above 0."""
    return _number(text, lambda value: 0 < value < float("inf"), "a number above 0")


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def positive_share(text: str) -> float:
    """Parse a number above 0, at most 1."""
    return _number(text, lambda value: 0 < value <= 1, "a number above 0, at most 1")


def fraction(text: str) -> float:
    """Parse a number from 0 to below 1."""
    return _number(text, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def _number(text: str, is_valid: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not is_valid(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


def workers(text: str) -> int | str:
    """Parse a number of processes, or the address of a scheduler, as tcp://host:8786."""
    if "://" in text:
        return text
    try:
        return whole(1, 1024)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or the address of a scheduler, as tcp://host:8786") from None


def resolution(text: str) -> tuple[int, int]:
    """Parse a width and height in pixels, as 1280x720."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected a resolution as 1280x720, found {text!r}")
    return int(match[1]), int(match[2])


def fourcc(text: str) -> str:
    """Parse the four characters of a pixel format, as MJPG."""
    if not re.fullmatch(r"[A-Za-z0-9 ]{4}", text):
        raise argparse.ArgumentTypeError(f"expected four characters as MJPG, found {text!r}")
    return text.upper()

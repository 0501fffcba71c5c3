"""What every command line shares: help that keeps its examples, numbers that say what was expected."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import NoReturn


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults where there is one, and leaves the module's docstring as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return super()._get_help_string(action) if action.default not in (None, False, []) else action.help


class ArgumentParser(argparse.ArgumentParser):
    """A parser whose complaint is one line; it ends the program with status 2."""

    def __init__(self, prog: str, description: str | None) -> None:
        super().__init__(prog=prog, description=description, formatter_class=HelpFormatter)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def whole(low: int, high: int = 10**9) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, found {text[:40]!r}")
        return value

    return parse


def _number(text: str, test: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not test(value):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


def positive(text: str) -> float:
    """A number above 0 and finite."""
    return _number(text, lambda value: 0 < value < float("inf"), "a number above 0")


def share(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def fraction(text: str) -> float:
    """A number from 0 to below 1."""
    return _number(text, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def resolution(text: str) -> tuple[int, int]:
    """A width and height in pixels, as 1280x720."""
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a resolution as 1280x720, found {text!r}")
    return int(found[1]), int(found[2])


def fourcc(text: str) -> str:
    """Four characters that name a pixel format, as MJPG."""
    if not re.fullmatch(r"[A-Za-z0-9 ]{4}", text):
        raise argparse.ArgumentTypeError(f"expected four characters as MJPG, found {text!r}")
    return text.upper()

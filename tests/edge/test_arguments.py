"""Test what all command lines share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pytest

from edge.arguments import ArgumentParser, fourcc, fraction, positive, resolution, share, whole


@pytest.mark.parametrize(
    ("default", "is_shown"), [(0, True), (0.0, True), (5, True), ("demo", True), (None, False), ([], False)]
)
def test_help_shows_each_default(default: Any, is_shown: bool) -> None:
    parser = ArgumentParser("prog", "description")
    parser.add_argument("--option", default=default, help="an option")
    assert (f"(default: {default})" in parser.format_help()) == is_shown


def test_help_shows_no_default_for_a_flag() -> None:
    parser = ArgumentParser("prog", "description")
    parser.add_argument("--flag", action="store_true", help="a flag")
    assert "default" not in parser.format_help()


def test_help_keeps_the_lines_of_the_description() -> None:
    assert "first\n    second" in ArgumentParser("prog", "first\n    second").format_help()


def test_wrong_command_line_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ArgumentParser("prog", None).parse_args(["--unknown"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --unknown; see prog --help\n"


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (whole(1, 64), "64", 64),
        (positive, "1e-3", 0.001),
        (share, "1", 1.0),
        (fraction, "0", 0.0),
        (resolution, "1280x720", (1280, 720)),
        (fourcc, "mjpg", "MJPG"),
    ],
)
def test_valid_argument(parse: Callable[[str], Any], text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (whole(1, 64), "65", "from 1 to 64"),
        (whole(1), "two", "from 1 to"),
        (positive, "0", "above 0"),
        (positive, "inf", "above 0"),
        (positive, "nan", "above 0"),
        (share, "1.01", "from 0 to 1"),
        (fraction, "1", "below 1"),
        (resolution, "0x480", "as 1280x720"),
        (resolution, "640", "as 1280x720"),
        (fourcc, "MJ", "four characters"),
    ],
)
def test_invalid_argument(parse: Callable[[str], Any], text: str, expected: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=expected):
        parse(text)

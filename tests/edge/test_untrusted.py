"""Specify how text and JSON that others wrote are read and shown."""

from __future__ import annotations

import pytest

from edge.untrusted import MAX_JSON, parse_json, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("happy, 幸せ, señal", "happy, 幸せ, señal"),
        ("\x1b[31mred\a", r"\x1b[31mred\x07"),
        ("two\nlines\tand a tab", r"two\nlines\tand a tab"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),  # a name that is not UTF-8
        ("\u202egpj.exe", r"\u202egpj.exe"),  # reverses the direction
    ],
)
def test_text_is_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).encode()


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "NaN", '{"a": -Infinity}', "1e999", "\ufeff{}", " " * MAX_JSON + "1", "", b"\xff\xfe"]
)
def test_other_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is the parser's own)
        parse_json(text)


def test_json_is_parsed() -> None:
    assert parse_json('{"a": [1, 2.5, null, "é"]}') == {"a": [1, 2.5, None, "é"]}

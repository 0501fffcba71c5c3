"""Read text and JSON that others wrote: model cards, profiles, recipes and names of files.

Such text may hold escape sequences that rewrite a terminal, lone surrogates that no encoder accepts, or nesting that
exhausts the stack.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

MAX_JSON = 1_000_000  # bytes


def printable(text: str) -> str:
    r"""Return the text safe for a terminal, a log line and any UTF-8 writer.

    Characters that are not printable (control characters, lone surrogates, marks that reverse the direction) become
    escapes such as \x1b and \udce9; everything else stays.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def utf8(name: str) -> str:
    r"""Return a file's name as text that every UTF-8 writer accepts: a byte that is not UTF-8 becomes \xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def parse_json(content: bytes | str) -> Any:
    """Return the value of a JSON document of at most MAX_JSON bytes. Raises ValueError for any other.

    NaN and infinity, which JSON lacks and Python's parser accepts, are refused, and so is nesting too deep to parse.
    """
    if len(content) > MAX_JSON:
        raise ValueError(f"expected at most {MAX_JSON:,} bytes of JSON, found {len(content):,}")
    try:
        return json.loads(content, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("expected JSON, found nesting too deep to parse") from None


def read_bounded(path: Path, limit: int = MAX_JSON) -> bytes:
    """Return a file's bytes. Raises ValueError if it is no plain file or has more than `limit` bytes, and OSError."""
    if not path.is_file():
        raise ValueError(f"expected a file at {path}, found none")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ValueError(f"expected at most {limit:,} bytes in {path}, found {size:,}")
        return file.read(size)


def _finite(text: str) -> float:
    """Return the number; 1e999 is none that a float holds."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {text[:40]}")
    return value

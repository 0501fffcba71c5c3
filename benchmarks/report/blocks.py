"""What a report is made of, and how it looks as Markdown and in a terminal; benchmarks.page makes it a page.

In texts and cells, `code` and **strong** mean what they mean in Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """An SVG, for the page alone; `caption` says what it shows."""

    svg: str
    caption: str


Block: TypeAlias = Heading | Text | Table | Picture


def markdown(blocks: Sequence[Block]) -> str:
    """The report without its pictures."""
    return "\n\n".join(_markdown(block) for block in blocks if not isinstance(block, Picture)) + "\n"


def _markdown(block: Heading | Text | Table) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Text):
        return block.text
    lines = [block.head, ["---"] * len(block.head), *block.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plain(block: Text | Table) -> str:
    """As a terminal shows it: columns below each other, the first to the left, figures to the right."""
    if isinstance(block, Text):
        return _bare(block.text)
    lines = [[_bare(cell) for cell in cells] for cells in (block.head, *block.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _bare(text: str) -> str:
    return text.replace("`", "").replace("**", "")

"""Define the blocks of a report, and render them as Markdown and as plain text; benchmarks.report.page renders HTML.

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
class Chart:
    """Hold an SVG, shown on the HTML page only."""

    svg: str
    caption: str


Block: TypeAlias = Heading | Text | Table | Chart


def markdown(blocks: Sequence[Block]) -> str:
    """Return the report as Markdown, without its charts."""
    return "\n\n".join(_markdown(block) for block in blocks if not isinstance(block, Chart)) + "\n"


def _markdown(block: Heading | Text | Table) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Text):
        return block.text
    lines = [block.head, ["---"] * len(block.head), *block.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plain(block: Text | Table) -> str:
    """Return a block for a terminal, with aligned columns: the first to the left, the others to the right."""
    if isinstance(block, Text):
        return _without_markup(block.text)
    lines = [[_without_markup(cell) for cell in cells] for cells in (block.head, *block.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _without_markup(text: str) -> str:
    return text.replace("`", "").replace("**", "")

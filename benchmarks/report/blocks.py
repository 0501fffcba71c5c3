"""Define the blocks of a report, and render them as Markdown and as plain text; benchmarks.report.page renders HTML.

In texts and cells, `code` and **strong** mean what they mean in Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from train import tables
from train.tables import Table as Table  # re-exported


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Chart:
    """Hold an SVG for the HTML page, which alone shows it, and the contents of the figure's files by suffix."""

    svg: str
    caption: str
    files: Mapping[str, bytes] = field(default_factory=dict)


Block: TypeAlias = Heading | Text | Table | Chart


def markdown(blocks: Sequence[Block]) -> str:
    """Return the report as Markdown, without its charts."""
    return "\n\n".join(_markdown(block) for block in blocks if not isinstance(block, Chart)) + "\n"


def _markdown(block: Heading | Text | Table) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    return block.text if isinstance(block, Text) else tables.markdown(block)


def plain(block: Text | Table) -> str:
    """Return a block for a terminal."""
    return tables.without_markup(block.text) if isinstance(block, Text) else tables.plain(block)

"""Render a report as one self-contained HTML file: no network, no scripts, in the reader's light or dark theme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from benchmarks.report.blocks import Block, Chart, Heading, Table, Text

CSS = """
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fff; --line: #d9dee7; --soft: #f4f6fa; --strong: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8f0; --paper: #14171d; --line: #333a47; --soft: #1d222b; --strong: #ff8a80 }
}
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.7rem } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
p { max-width: 56rem } p.lead { font-size: 1.2rem } strong { color: var(--strong) }
code { font: 0.9em ui-monospace, monospace; background: var(--soft); padding: 0.1em 0.3em; border-radius: 0.3em;
  overflow-wrap: anywhere }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 0.87rem; font-variant-numeric: tabular-nums }
th, td { padding: 0.35rem 0.5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
th { vertical-align: bottom; white-space: normal } td:first-child, th:first-child { text-align: left }
tbody tr:hover { background: var(--soft) } td code, th code { overflow-wrap: normal }
td small { display: block; opacity: 0.75 }
figure { margin: 1.5rem 0 } figcaption { font-size: 0.9rem; opacity: 0.85; max-width: 56rem }
svg { min-width: 34rem; max-width: 100%; height: auto; background: #fff; border-radius: 0.4rem }
"""


def html(blocks: Sequence[Block]) -> str:
    """Return the page; its title is the first heading, its lead the first text."""
    title = next(block.text for block in blocks if isinstance(block, Heading))
    lead = next((block for block in blocks if isinstance(block, Text)), None)
    body = "\n".join(_block(block, block is lead) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{CSS}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _block(block: Block, lead: bool) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        return f"<p{' class=lead' if lead else ''}>{_inline(block.text)}</p>"
    if isinstance(block, Chart):
        caption = f"<figcaption>{_inline(block.caption)}</figcaption>"
        return f'<figure><div class="wide">{block.svg}</div>{caption}</figure>'
    return _table(block)


def _table(table: Table) -> str:
    head = "".join(f"<th>{_breakable(_inline(cell))}</th>" for cell in table.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _breakable(markup: str) -> str:
    """Allow line breaks in file names."""
    return re.sub(r"([_.])", r"\1<wbr>", markup)


def _cell(text: str) -> str:
    """Return a cell with its interval, if it has one, on a line of its own: tables stay narrow."""
    return re.sub(r" \((\S+ to \S+)\)$", r"<small>\1</small>", _inline(text))


def _inline(text: str) -> str:
    """Return escaped text, with `code` and **strong** as elements."""
    with_code = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*(.*?)\*\*", r"<strong>\1</strong>", with_code)

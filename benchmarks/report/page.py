"""Render a report as one self-contained HTML file: no network, no scripts, in the reader's light or dark theme."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from benchmarks.report.blocks import Block, Chart, Heading, Table, Text

CSS = """
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fff; --line: #d9dee7; --soft: #f4f6fa; --strong: #b3261e }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e8f0; --paper: #14171d; --line: #333a47; --soft: #1d222b; --strong: #ff8a80 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.25 } h3 { margin-top: 2rem }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.2rem }
p { max-width: 56rem } p.lead { font-size: 1.2rem } strong { color: var(--strong) }
code { font: 0.9em ui-monospace, monospace; background: var(--soft); padding: 0.1em 0.3em; border-radius: 0.3em }
.wide { overflow-x: auto }
table { border-collapse: separate; border-spacing: 0; font-size: 0.87rem; font-variant-numeric: tabular-nums }
th, td { padding: 0.35rem 0.45rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap;
  overflow-wrap: normal }
th { vertical-align: bottom; white-space: normal }
:is(td, th):first-child { position: sticky; left: 0; z-index: 1; min-width: 6.5rem; max-width: 13rem; text-align: left;
  white-space: normal; background: var(--paper); border-right: 1px solid var(--line) }
tbody tr:hover :is(td, th) { background: var(--soft) }
td code, th code { padding: 0; background: none }
td small { display: block; opacity: 0.75 }
figure { margin: 1.5rem 0 } figcaption { font-size: 0.9rem; opacity: 0.85; max-width: 56rem }
svg { display: block; max-width: 100%; height: auto }
@media (max-width: 40rem) {
  body { padding: 1rem } h1 { font-size: 1.4rem } p.lead { font-size: 1.1rem }
  :is(td, th):first-child { max-width: 8rem }
}
@media print {
  @page { size: A4 landscape; margin: 12mm }
  body { padding: 0; max-width: none; font-size: 10pt } table { font-size: 7.5pt }
  .wide { overflow: visible } svg { max-width: 100% } :is(td, th):first-child { position: static }
  h1, h2, h3 { break-after: avoid } tr, figure { break-inside: avoid } thead { display: table-header-group }
}
"""
NARROW = 300.0  # points: a chart of one column


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
        return f'<figure><div class="wide" tabindex="0">{_sized(block.svg)}</div>{caption}</figure>'
    return _table(block)


def _sized(svg: str) -> str:
    """Give a chart, which is as wide as on paper, a width on the page: it may shrink until its text is too small."""
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1]) if 'pt"' in svg else NARROW  # type: ignore[index]
    return svg.replace("<svg", f'<svg style="width:{width * 1.85:.0f}px;min-width:{width * 1.25:.0f}px"', 1)


def _table(table: Table) -> str:
    head = "".join(f"<th>{_breakable(_inline(cell))}</th>" for cell in table.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{_cell(str(cell))}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'


def _breakable(markup: str) -> str:
    """Allow line breaks in file names."""
    return re.sub(r"(?<!<)([_./])(?=\w)", r"\1<wbr>", markup)


def _cell(text: str) -> str:
    """Return a cell with its interval, if it has one, on a line of its own: tables stay narrow."""
    cell = re.sub(r" \((\S+ to \S+)\)$", r"<small>\1</small>", _inline(text))
    return _breakable(cell) if cell.startswith("<code>") else cell


def _inline(text: str) -> str:
    """Return escaped text, with `code` and **strong** as elements."""
    with_code = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*(.*?)\*\*", r"<strong>\1</strong>", with_code)

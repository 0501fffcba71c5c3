"""Write tables as Markdown, as LaTeX for papers (booktabs), and as CSV with the unrounded numbers.

In heads and cells, `code` and **strong** mean what they mean in Markdown.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edge.files import atomic_write
from edge.untrusted import printable

NOT_MEASURED = "-"
INTERVAL_HEAD = " (95%)"  # ends the head of a column whose numbers have intervals
LATEX_ESCAPES = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


@dataclass(frozen=True)
class Number:
    """Hold a number of a table and its format; None: not measured. `note` is what people read behind it."""

    value: float | None
    form: str = ""
    interval: tuple[float, float] | None = None
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return NOT_MEASURED
        text = f"{self.value:{self.form}}{self.note}"
        return f"{text} ({' to '.join(f'{bound:{self.form}}' for bound in self.interval)})" if self.interval else text


Cell: TypeAlias = str | Number


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def code(name: str) -> str:
    """Return a name, such as that of a file, as it stands in a cell."""
    return f"`{printable(name).replace('`', chr(39))}`"


def without_markup(text: str) -> str:
    return text.replace("`", "").replace("**", "")


def markdown(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def plain(table: Table) -> str:
    """Return a table for a terminal, with aligned columns: the first to the left, the others to the right."""
    lines = [[without_markup(str(cell)) for cell in cells] for cells in (table.head, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def latex(table: Table) -> str:
    r"""Return a tabular, for \input into a paper that uses the package booktabs."""
    head, *rows = (" & ".join(map(_latex_cell, line)) + r" \\" for line in (table.head, *table.rows))
    columns = "".join("lr"[any(isinstance(row[i], Number) for row in table.rows)] for i in range(len(table.head)))
    lines = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*lines, *rows, r"\bottomrule", r"\end{tabular}"])


def _latex_cell(cell: Cell) -> str:
    if str(cell) == NOT_MEASURED:
        return "--"
    text = "".join(LATEX_ESCAPES.get(char, char) for char in str(cell))
    return re.sub(r"\*\*(.*?)\*\*", r"\\textbf{\1}", re.sub(r"`([^`]*)`", r"\\texttt{\1}", text))


def comma_separated(table: Table) -> str:
    """Return a table as CSV: numbers are not rounded, and shares not in %; an interval has two columns of its own."""
    with_interval = [
        any(isinstance(cell, Number) and cell.interval for cell in (row[i] for row in table.rows))
        for i in range(len(table.head))
    ]
    head = []
    for name, has_interval in zip(table.head, with_interval, strict=True):
        name = without_markup(name).replace(INTERVAL_HEAD, "")
        head += [name, f"{name} low", f"{name} high"] if has_interval else [name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in table.rows:
        writer.writerow(
            [value for cell, wide in zip(row, with_interval, strict=True) for value in _csv_values(cell, wide)]
        )
    return text.getvalue().removesuffix("\n")


def _csv_values(cell: Cell, has_interval: bool) -> list[str | float | None]:
    """Return the value of a cell and, in a column with intervals, the bounds of its own."""
    if not isinstance(cell, Number):
        return [without_markup(cell), *[None] * (2 * has_interval)]
    return [cell.value, *(cell.interval or (None, None))] if has_interval else [cell.value]


WRITERS: dict[str, Callable[[Table], str]] = {".md": markdown, ".tex": latex, ".csv": comma_separated}


def write_tables(folder: Path, tables: Mapping[str, Table]) -> None:
    """Write each table, by name, to a file of each form. Raises OutputError."""
    for name, table in tables.items():
        for file, form in zip(table_files(folder, [name]), WRITERS.values(), strict=True):
            with atomic_write(file) as tmp:
                tmp.write_text(form(table) + "\n", encoding="utf-8", newline="\n")


def table_files(folder: Path, names: Iterable[str]) -> list[Path]:
    """Return the files that tables of these names are written to."""
    return [folder / f"{name}{suffix}" for name in names for suffix in WRITERS]

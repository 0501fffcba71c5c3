"""Write a report as HTML, Markdown and JSON, with its figures and tables as files, and print its summary."""

from __future__ import annotations

from pathlib import Path

from benchmarks.codec import to_json
from benchmarks.report import content, notes, page, plots, tables
from benchmarks.report.blocks import Table, Text, markdown, plain
from benchmarks.results import Results
from edge.errors import OutputError
from edge.files import atomic_write, check_writable, write_json
from train import figures
from train.tables import write_tables

RESULTS, PAGES = "results.json", ("report.md", "report.html")
FIGURES, TABLES = "figures", "tables"  # folders


def check_new(folder: Path) -> None:
    """Raise OutputError if a report could not be written to the folder, or would replace another."""
    if (folder / RESULTS).exists():
        raise OutputError(f"{folder} already holds a report; choose another --out, or leave it out for a new folder")
    for name in (RESULTS, *PAGES, f"{FIGURES}/x", f"{TABLES}/x"):
        check_writable(folder / name)


def write_report(results: Results, folder: Path) -> None:
    """Write results.json and everything that is rendered from it. Raises OutputError where that is not possible."""
    write_json(folder / RESULTS, to_json(results))
    render_report(results, folder)


def render_report(results: Results, folder: Path) -> None:
    """Write the pages, tables and figures of results: the same bytes for the same results. Raises OutputError."""
    built = tables.build_tables(results)
    charts = plots.draw(results)
    blocks = content.build_report(results, built, charts)
    for name, text in zip(PAGES, (markdown(blocks), page.html(blocks)), strict=True):
        with atomic_write(folder / name) as tmp:
            tmp.write_text(text, encoding="utf-8", newline="\n")
    write_tables(folder / TABLES, built)
    for name, chart in charts.items():
        figures.write(chart.files, folder / FIGURES / name)


def print_summary(results: Results, folder: Path) -> None:
    """Print the most important tables, the reasons to distrust them, and where the report is."""
    notices = [*notes.warnings(results), *notes.limits(results), *([] if plots.can_draw() else [notes.NO_CHARTS])]
    blocks: list[Text | Table] = [tables.models(results), tables.throughput(results), notes.recommendation(results)]
    for block in (*blocks, *map(Text, notices)):
        print(plain(block), end="\n\n")
    print(f"written: {', '.join(str(folder / name) for name in (*PAGES, RESULTS))}")

"""Write a report as HTML, Markdown and JSON, and print its summary."""

from __future__ import annotations

from pathlib import Path

from benchmarks.codec import to_json
from benchmarks.report import content, notes, page, plots, tables
from benchmarks.report.blocks import markdown, plain
from benchmarks.results import Results
from edge.files import atomic_write, write_json

REPORT_FILES = ("report.md", "report.html", "results.json")


def write_report(results: Results, folder: Path) -> None:
    """Write REPORT_FILES into a folder. Raises OutputError where that is not possible."""
    blocks = content.build_report(results, plots.draw(results))
    write_json(folder / "results.json", to_json(results))
    for name, text in (("report.md", markdown(blocks)), ("report.html", page.html(blocks))):
        with atomic_write(folder / name) as tmp:
            tmp.write_text(text, encoding="utf-8")


def print_summary(results: Results, folder: Path) -> None:
    """Print the most important tables, and where the report is."""
    for block in (tables.models(results), tables.throughput(results), notes.recommendation(results)):
        print(plain(block), end="\n\n")
    print(f"written: {', '.join(str(folder / name) for name in REPORT_FILES)}")

"""Arrange tables, texts and charts into a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.report import notes
from benchmarks.report.blocks import Block, Chart, Heading, Text
from benchmarks.report.figures import machine_of
from benchmarks.results import Results
from train.tables import Table


def build_report(results: Results, tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> list[Block]:
    """Return all blocks of the report, from its tables and charts by name; there may be no charts."""
    return [
        *_summary(results),
        *_models(tables, charts),
        *_latency(results, tables, charts),
        *_accuracy(results, tables, charts),
        *_throughput(results, tables, charts),
        *_live(results, tables),
        *_sustained(results, charts),
        *_reproduction(results, tables, charts),
    ]


def _summary(results: Results) -> Iterator[Block]:
    yield Heading(f"Benchmark: {machine_of(results)}", 1)
    yield notes.recommendation(results)
    yield Text(notes.machine(results.host))
    yield Text(notes.state(results.host, results.host_after))
    for warning in notes.warnings(results):
        yield Text(f"**{warning}**")
    for limit in notes.limits(results):
        yield Text(limit)


def _models(tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Models")
    yield tables["models"]
    yield Text(notes.about_models())
    yield from _available(charts, "accuracy_latency")


def _latency(results: Results, tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Latency")
    yield from _available(charts, "latency")
    yield tables["latency"]
    yield Text(notes.about_latency(results))
    yield Heading("Loading and memory", 3)
    yield tables["loading"]
    yield Text(notes.about_loading(results))


def _accuracy(results: Results, tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Accuracy")
    if results.dataset is None:
        yield Text("Not measured: there was no data set (pass one with `--data`).")
        return
    for text in notes.quantization(results):
        yield Text(text)
    yield tables["accuracy"]
    yield Text(notes.about_dataset(results.dataset))
    yield tables["recall"]
    yield from _available(charts, "recall", "confusion", "confusion_change")


def _throughput(results: Results, tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Throughput")
    yield tables["throughput"]
    yield Text(notes.about_throughput(results))
    yield from _available(charts, "stages")


def _live(results: Results, tables: Mapping[str, Table]) -> Iterator[Block]:
    yield Heading("Live camera")
    yield tables["live"]
    yield Text(notes.about_live(results))


def _sustained(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    if results.sustained:
        yield Heading("Sustained load")
        yield Text(notes.sustained_load(results.sustained))
        yield from _available(charts, "sustained")


def _reproduction(results: Results, tables: Mapping[str, Table], charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Reproduction")
    yield Text(f"`{results.command}`")
    yield tables["files"]
    if not charts:
        yield Text(notes.NO_CHARTS)


def _available(charts: Mapping[str, Chart], *names: str) -> Iterator[Chart]:
    yield from (charts[name] for name in names if name in charts)

"""Arrange tables, texts and charts into a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.report import notes, tables
from benchmarks.report.blocks import Block, Chart, Heading, Text
from benchmarks.results import Results
from edge.host import Host


def build_report(results: Results, charts: Mapping[str, Chart]) -> list[Block]:
    """Return all blocks of the report; `charts` are those of benchmarks.report.plots, by name, or none."""
    return [
        *_summary(results),
        *_models(results, charts),
        *_latency(results, charts),
        *_accuracy(results, charts),
        *_throughput(results, charts),
        *_live(results),
        *_sustained(results, charts),
        *_reproduction(results, charts),
    ]


def _summary(results: Results) -> Iterator[Block]:
    yield Heading(f"Benchmark: {_title(results.host)}", 1)
    yield notes.recommendation(results)
    yield Text(notes.machine(results.host))
    yield Text(notes.state(results.host, results.host_after))
    for warning in notes.warnings(results):
        yield Text(f"**{warning}**")


def _title(host: Host) -> str:
    return host["board"] or host["processor"] or host["machine"]


def _models(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Models")
    yield tables.models(results)
    yield Text(notes.about_models(results))
    yield from _available(charts, "accuracy_latency")


def _latency(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Latency")
    yield from _available(charts, "latency")
    yield tables.latency(results)
    yield Text(notes.about_latency(results))


def _accuracy(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Accuracy")
    if results.dataset is None:
        yield Text("Not measured: there was no data set (pass one with `--data`).")
        return
    for text in notes.quantization(results):
        yield Text(text)
    yield tables.accuracy(results)
    yield Text(notes.about_dataset(results.dataset))
    yield tables.recall(results)
    yield from _available(charts, "recall", "confusion")


def _throughput(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Throughput")
    yield tables.throughput(results)
    yield Text(notes.about_throughput(results))
    yield from _available(charts, "stages")


def _live(results: Results) -> Iterator[Block]:
    yield Heading("Live camera")
    yield tables.live(results)
    yield Text(notes.about_live(results))


def _sustained(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    if results.sustained:
        yield Heading("Sustained load")
        yield Text(notes.sustained_load(results.sustained))
        yield from _available(charts, "sustained")


def _reproduction(results: Results, charts: Mapping[str, Chart]) -> Iterator[Block]:
    yield Heading("Reproduction")
    yield Text(f"`{results.command}`")
    yield tables.files(results)
    if not charts:
        yield Text("No charts: matplotlib is not installed (`pip install matplotlib`).")


def _available(charts: Mapping[str, Chart], *names: str) -> Iterator[Chart]:
    yield from (charts[name] for name in names if name in charts)

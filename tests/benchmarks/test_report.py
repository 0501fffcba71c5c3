"""Check the report against the results of the reference report."""

from __future__ import annotations

import copy
import importlib.util
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks.codec import from_json
from benchmarks.report import content, page, plots, tables
from benchmarks.report.blocks import Chart, Heading, Table, Text, markdown, plain
from benchmarks.results import Results
from tests.benchmarks.reference import REFERENCE


def render(results: dict[str, Any]) -> str:
    return markdown(content.build_report(from_json(Results, results), {}))


@pytest.fixture
def results() -> dict[str, Any]:
    return copy.deepcopy(REFERENCE)


def test_the_report_has_the_sections_that_readers_look_for(results: dict[str, Any]) -> None:
    headings = [line[3:] for line in render(results).splitlines() if line.startswith("## ")]
    assert headings == [
        *("Models", "Latency", "Accuracy", "Throughput", "Live camera", "Sustained load", "Reproduction"),
    ]


def test_the_page_is_self_contained(results: dict[str, Any]) -> None:
    typed = from_json(Results, results)
    text = page.html(content.build_report(typed, plots.draw(typed)))
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text
    assert "<script" not in text
    svgs = [part[part.index("<svg") : part.index("</svg>") + 6] for part in text.split("<figure>")[1:]]
    assert len(svgs) == 6
    for svg in svgs:
        ET.fromstring(svg.replace("xlink:", ""))


def test_without_matplotlib_the_report_has_no_charts_and_says_so(
    results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert plots.draw(from_json(Results, results)) == {}
    assert "matplotlib is not installed" in render(results)


def test_without_a_data_set_there_are_no_scores(results: dict[str, Any]) -> None:
    results["dataset"] = None
    for model in results["models"]:
        for first_field in ("faces", "agreement_with_float"):  # of the scores and of their change
            model.pop(first_field, None)
    text = render(results)
    assert "there was no data set" in text
    assert "McNemar" not in text


def test_a_slower_and_less_accurate_file_is_reported(results: dict[str, Any]) -> None:
    model = next(model for model in results["models"] if model["base"])
    model["latency_ms"]["1"]["times_as_fast_as_base"] = {"value": 0.5, "ci95": [0.4, 0.6]}
    model["mcnemar_p"] = 0.001
    model["recall_change"]["fear"] = {"points": -40.0, "mcnemar_p": 0.02}
    text = render(results)
    assert "**slower: 2.00 times the latency**" in text
    assert "(significant, McNemar's p = 0.001)" in text
    assert "Largest loss: fear, recall -40.0 points (not significant, McNemar's p = 0.02)" in text, "the worst of seven"


def test_a_difference_within_the_interval_is_none(results: dict[str, Any]) -> None:
    model = next(model for model in results["models"] if model["base"])
    model["latency_ms"]["1"]["times_as_fast_as_base"] = {"value": 0.99, "ci95": [0.97, 1.01]}
    for change in model["recall_change"].values():
        change["points"] = 0.0
    text = render(results)
    assert "no significant difference in speed (0.97 to 1.01 times as fast)" in text
    assert "No emotion lost recall" in text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("host", "governor"), "powersave", "governor is `powersave`, not `performance`"),
        (("host", "used_by_others"), 0.4, "Other programs used 40% of the cores"),
        (("host", "throttled"), ["under-voltage"], "throttled: under-voltage"),
        (("models", 0, "latency_ms", "1", "warm_up", "first_to_rest"), 1.2, "took 1.20 times as long as the rest"),
    ],
)
def test_reasons_for_distrust_are_stated(
    results: dict[str, Any], path: tuple[Any, ...], value: object, message: str
) -> None:
    parent = results
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    assert message in render(results)


def test_tables_of_the_reference() -> None:
    typed = from_json(Results, REFERENCE)
    rows = {row[0]: row for row in tables.models(typed).rows}
    assert rows["`emotion_int8.tflite`"][3:9] == [
        "2.74",
        "3.8",
        "11",
        "68",
        "0.912 (0.902 to 0.934)",
        "2.08 (2.04 to 2.11)",
    ]
    assert len(tables.throughput(typed).rows) == len(tables.live(typed).rows) == 22


def test_blocks_in_a_terminal_and_on_a_page() -> None:
    table = Table(["model", "ms"], [["`a`", "1.5 (1.4 to 1.6)"], ["`longer`", "**10**"]])
    assert plain(table).splitlines() == [
        "model                 ms",
        "a       1.5 (1.4 to 1.6)",
        "longer                10",
    ]
    assert markdown([Heading("T", 1), table, Chart("<svg/>", "")]).startswith("# T\n\n| model | ms |\n| --- | --- |")
    text = page.html([Heading("A < B", 1), Text("`x<y` is **bad**"), table, Chart("<svg/>", "a `b`")])
    assert "<title>A &lt; B</title>" in text
    assert "<p class=lead><code>x&lt;y</code> is <strong>bad</strong></p>" in text
    assert "<td>1.5<small>1.4 to 1.6</small></td>" in text
    assert "<figcaption>a <code>b</code></figcaption></figure>" in text

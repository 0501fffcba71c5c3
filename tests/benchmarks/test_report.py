"""Check the report against the results of the reference report."""

from __future__ import annotations

import copy
import csv
import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.codec import from_json
from benchmarks.options import parse_args
from benchmarks.report import content, model_charts, page, plots, tables, writer
from benchmarks.report.blocks import Chart, Heading, Table, Text, markdown, plain
from benchmarks.results import Results
from tests import chromium
from tests.benchmarks.reference import REFERENCE
from train.figures import INK


def render(results: dict[str, Any]) -> str:
    typed = from_json(Results, results)
    return markdown(content.build_report(typed, tables.build_tables(typed), {}))


@pytest.fixture
def results() -> dict[str, Any]:
    return copy.deepcopy(REFERENCE)


def test_the_report_has_the_sections_that_readers_look_for(results: dict[str, Any]) -> None:
    headings = [line[3:] for line in render(results).splitlines() if line.startswith("## ")]
    assert headings == [
        *("Models", "Latency", "Accuracy", "Throughput", "Live camera", "Sustained load", "Reproduction"),
    ]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report that is rendered from the reference's results: those of fewer cases."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "results.json").write_text(json.dumps(REFERENCE | {"pipeline": REFERENCE["pipeline"][:4]}))
    assert main(["--from", str(folder)]) == 0
    return folder


def test_the_page_is_self_contained(rendered: Path) -> None:
    text = (rendered / "report.html").read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text
    assert "<script" not in text
    svgs = [part[part.index("<svg") : part.index("</svg>") + 6] for part in text.split("<figure>")[1:]]
    assert len(svgs) == 7
    for svg in svgs:
        ET.fromstring(svg.replace("xlink:", ""))
        assert INK not in svg
        assert "var(--ink)" in svg, "readable in the dark"


def test_figures_and_tables_of_papers_are_files(rendered: Path) -> None:
    figures = {file.name for file in (rendered / "figures").iterdir()}
    assert {f"confusion{suffix}" for suffix in (".png", ".svg", ".pdf")} <= figures
    assert len(figures) == 3 * 7
    svg = (rendered / "figures" / "accuracy_latency.svg").read_text(encoding="utf-8")
    for text in ("fer2013, split public, 3,579 faces; AMD EPYC", "emotion_int8.tflite, 2.7 MB"):
        assert f">{text}</text>" in svg, "text stays text"
    row = next(row for row in csv.DictReader((rendered / "tables" / "models.csv").open()) if "int8.t" in row["model"])
    expected = next(model for model in REFERENCE["models"] if model["name"] == row["model"])
    assert float(row["accuracy"]) == expected["accuracy"]
    assert [float(row[f"accuracy {end}"]) for end in ("low", "high")] == expected["accuracy_ci95"]
    latex = (rendered / "tables" / "models.tex").read_text(encoding="utf-8")
    assert r"\texttt{emotion\_int8.tflite} & int8 & ai-edge-litert & 2.74 & 0.912 (0.902 to 0.934)" in latex
    assert r"70.83\% (69.32\% to 72.30\%)" in latex


def test_the_same_results_give_the_same_bytes(rendered: Path) -> None:
    typed = from_json(Results, REFERENCE)
    base, *_, model = (model for model in typed.models if model.info.format == "tflite")
    chart = model_charts.confusion_change(typed, base, model)
    files = {suffix: (rendered / "figures" / f"confusion_change{suffix}").read_bytes() for suffix in chart.files}
    assert chart.files == files


def test_nothing_is_cut_off_on_a_desk_or_a_phone(rendered: Path) -> None:
    """Expect wide tables to scroll in boxes of their own, and at 1280 pixels not even there; ink and ground swap."""
    with chromium.open_page((rendered / "report.html").as_uri()) as browser:
        for width in (1280, 390):
            browser.resize(width, 800)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            cut = "[...document.querySelectorAll('.wide')].filter(box => box.scrollWidth > box.clientWidth).length"
            assert (browser.evaluate(cut) == 0) is (width == 1280)
        browser.evaluate("document.querySelectorAll('.wide').forEach(box => box.scrollLeft = 200)")
        assert browser.evaluate("document.querySelector('td').getBoundingClientRect().left") >= 0, "it stays in sight"
        colours = "[document.body, document.querySelector('svg text')].map(e => getComputedStyle(e)).map((style, i) =>"
        colours += " i ? style.fill : style.backgroundColor)"
        assert browser.evaluate(colours) == ["rgb(255, 255, 255)", "rgb(29, 35, 48)"]
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        browser.command("Emulation.setEmulatedMedia", features=dark)
        assert browser.evaluate(colours) == ["rgb(20, 23, 29)", "rgb(228, 232, 240)"]


def test_a_report_is_never_overwritten(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plots, "draw", lambda results: {})
    before = (rendered / "results.json").read_bytes()
    assert main(["--out", str(rendered)]) == 2
    assert "already holds a report; choose another --out" in capsys.readouterr().err
    assert main(["--from", str(rendered / "results.json"), "--out", str(rendered / "copy")]) == 0
    assert (rendered / "copy" / "tables" / "models.csv").is_file()
    assert (rendered / "results.json").read_bytes() == before
    with pytest.raises(SystemExit, match="2"):
        main(["--from", str(rendered), "--rounds", "9", "--passes", "10"])  # 10 is the default
    assert "leave out --rounds, --passes" in capsys.readouterr().err


def test_options_of_a_quick_run_and_of_none() -> None:
    quick = parse_args("", ["--quick", "--passes", "7"])
    assert (quick.resolutions, quick.passes, quick.quick) == ([(640, 480)], 7, True)
    assert parse_args("", []).out.parent.name == "reports"
    assert parse_args("", ["--quick", "--passes", "10"]).passes == 10, "the default, but it is given"


def test_the_terminal_warns_as_the_report_does(
    results: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results["host"]["used_by_others"] = 0.4
    results |= {"quick": True, "left_out": ["model a.onnx: needs onnxruntime; run: pip install '.[onnx]'"]}
    writer.print_summary(from_json(Results, results), tmp_path)
    printed, text = capsys.readouterr().out, render(results)
    for sentence in ("Other programs used 40% of the cores", "A quick run: ", "Left out: model a.onnx: needs onnx"):
        assert sentence in printed
        assert sentence in text


def test_without_matplotlib_the_report_has_no_charts_and_says_so(
    results: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert plots.draw(from_json(Results, results)) == {}
    assert "Left out: charts, which need matplotlib; run: `pip install '.[report]'`" in render(results)


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
    assert [*map(str, rows["`emotion_int8.tflite`"][3:])] == [
        "2.74",
        "0.912 (0.902 to 0.934)",
        "2.08 (2.04 to 2.11)",
        "70.83% (69.32% to 72.30%)",
        "0.686",
        "0.033",
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


def test_the_command_in_a_report_has_no_password() -> None:
    options = parse_args(None, ["--source", "https://me:secret@host/clip.mp4"])
    assert "--source https://***@host/clip.mp4" in options.command


def test_the_recommendation_names_models_that_were_not_compared(results: dict[str, Any]) -> None:
    assert "not compared" not in render(results)
    deployed = results["models"][results["deploy"]]
    deployed["targets"] = "votes"
    assert "among the models trained on votes; not compared: " in render(results)

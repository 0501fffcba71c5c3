"""Test the report: sums, bounded memory, sessions, the page and its numbers, hostile lines."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.labels import UNCERTAIN
from edge.report.events import parse
from edge.report.page import clock, page
from edge.report.session import MAX_BINS, MAX_PEOPLE, Event, FaceEvent, Sessions
from edge.sinks.report import Report

LABELS = ("happy", "sad")


def face(id_: int, emotion: str, probability: float = 0.9) -> FaceEvent:
    return FaceEvent(id_, (0, 0, 9, 9), emotion, {"happy": probability, "sad": 1 - probability})


def line(frame: int, time: float, *faces: tuple[int, str, float], trouble: str | None = None) -> str:
    """Return a line as `--events` writes it."""
    values = [
        {"id": id_, "box": [1, 2, 30, 30], "score": 1.0, "emotion": emotion, "confidence": happy}
        | {"probabilities": {"happy": happy, "sad": round(1 - happy, 4)}}
        for id_, emotion, happy in faces
    ]
    return json.dumps({"frame": frame, "time": time, "faces": values} | ({"trouble": trouble} if trouble else {}))


def summed(events: list[Event]) -> Sessions:
    sessions = Sessions()
    for event in events:
        sessions.add(event, LABELS)
    return sessions


def test_a_state_lasts_until_the_next_line() -> None:
    """Sum up unevenly spaced lines, as `--on-change` writes them."""
    events = [
        Event(0, 0.0, [face(1, "happy")]),
        Event(9, 60.0, [face(1, UNCERTAIN, 0.5), face(2, "sad", 0.2)]),
        Event(12, 70.0, [], "camera lost"),
        Event(12, 75.0, [], "camera lost"),
        Event(13, 80.0, [face(1, "happy", 0.99)]),
        Event(14, 81.0, []),
    ]
    (session,) = summed(events).all
    one, two = session.by_time()
    assert one.seconds == pytest.approx({"happy": 61.0, UNCERTAIN: 10.0})
    assert two.seconds == pytest.approx({"sad": 10.0})
    assert (one.changes, two.changes) == (2, 0)
    assert (session.lost_s, session.losses) == (10.0, [(70.0, 80.0)])
    assert (one.peaks["happy"].probability, one.peaks["happy"].time_s) == (0.99, 80.0)
    assert one.probabilities.seconds.sum() == pytest.approx(71.0, rel=1e-4)
    assert one.shown.seconds[:, 2].sum() == pytest.approx(10.0, rel=1e-4), "the last column is uncertain"


def test_days_are_summed_up_in_bounded_memory() -> None:
    """Expect a day in one minute's steps to lose no second of a face, and no more people than the limit."""
    day = [Event(i, 60.0 * i, [face(1, "happy"), face(2 + i, "sad")]) for i in range(1441)]
    (session,) = summed(day).all
    assert session.people[1].seen_s == pytest.approx(86_400)
    assert session.people[1].shown.seconds.sum() == pytest.approx(86_400, rel=1e-3)
    assert session.people[1].shown.seconds.shape[0] == MAX_BINS >= 86_400 / session.bin_s
    assert len(session.people) == MAX_PEOPLE
    assert session.others is not None
    assert session.others_count + MAX_PEOPLE == 1 + 1441
    assert session.others.seen_s + sum(person.seen_s for person in session.people.values()) == pytest.approx(2 * 86_400)


def test_a_file_that_was_appended_to_has_sessions() -> None:
    sessions = summed([Event(0, 0.0, []), Event(1, 5.0, []), Event(0, 0.0, [face(1, "sad")]), Event(1, 2.0, [])])
    assert [session.duration_s for session in sessions.all] == [5.0, 2.0]
    assert "Session 2" in page("twice", sessions)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        '{"frame": 0',
        '{"frame": 0, "time": NaN, "faces": []}',
        '{"frame": 0, "time": -1, "faces": []}',
        '{"frame": 0, "time": 0, "faces": [{"id": 1}]}',
        line(0, 0.0, (1, "happy", 7.0)),
        '{"frame": 0, "time": 0, "file": "a.jpg", "faces": []}',
        "[" * 100_000,
    ],
)
def test_a_line_that_holds_no_event_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_command_writes_a_page_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    lines = [line(i, 0.5 * i, (1, "<b>sad", 0.25) if i < 4 else (1, "happy", 0.75)) for i in range(9)]
    events.write_text("\n".join(lines) + "\n")
    assert main(["report", str(events), "-o", str(tmp_path / "out.html")]) == 0
    text = (tmp_path / "out.html").read_text()
    assert "<svg" in text
    assert "happy 75% at 0:02" in text
    assert "<b>sad" not in text, "text from the file is escaped"
    assert "http" not in text, "the page loads nothing"
    assert main(["report", str(events), "-o", str(tmp_path / "out.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert sum(float(row["seen_s"]) for row in rows) == pytest.approx(4.0)
    assert sum(float(row["happy_s"]) for row in rows) == pytest.approx(2.0)
    assert (rows[0]["happy"], rows[-1]["sad"]) == ("0.25", "0.25")
    events.write_text("\n".join(lines) + "\n" + lines[0][:20])
    capsys.readouterr()
    assert main(["report", str(events), "-o", str(tmp_path / "out.html")]) == 2
    assert "skipped 1 line(s)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl", "-o", "a.html"], "cannot open missing.jsonl"),
        (["empty.jsonl", "-o", "a.html"], "found none in empty.jsonl"),
        (["empty.jsonl", "-o", "a.pdf"], "ending in .html or .csv"),
        (["same.html", "-o", "same.html"], "other than the input"),
        (["empty.jsonl", "-o", "empty.jsonl/a.html"], "cannot write"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("empty.jsonl", "same.html"):
        Path(name).write_text("")
    assert main(["report", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {file.name for file in tmp_path.iterdir()} == {"empty.jsonl", "same.html"}
    assert Path("same.html").read_text() == ""


def test_a_run_writes_the_report_of_its_own_events(tmp_path: Path) -> None:
    """Expect the report of a run to equal the one made from its events."""
    events, live = tmp_path / "events.jsonl", tmp_path / "live.csv"
    run = ["demo", "--max-frames", "40", "--no-display", "--events", str(events), "--report", str(live)]
    assert main([*run, "--report-pictures", str(tmp_path / "live.html")]) == 0
    assert "data:image/jpeg;base64," in (tmp_path / "live.html").read_text()
    assert main(["report", str(events), "-o", str(tmp_path / "later.csv"), "--video", "demo"]) == 0
    expected, actual = (list(csv.reader(path.open())) for path in (tmp_path / "later.csv", live))
    assert len(expected) > 2
    assert [row[:2] for row in actual] == [row[:2] for row in expected]
    for row, other in zip(actual[1:], expected[1:], strict=True):
        assert [float(value) for value in row[2:]] == pytest.approx([float(value) for value in other[2:]], abs=2e-3)


def test_pictures_have_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Path(__file__).parents[2] / "edge" / "assets" / "astronaut.jpg"
    assert main([str(picture), "--no-display", "--report", str(tmp_path / "a.html")]) == 2
    assert f"expected a video or camera for {Report.option}" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3661, "1:01:01")])
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text

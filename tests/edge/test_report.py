"""Test the report: sums, bounded memory, sessions, the page and its numbers, hostile lines."""

from __future__ import annotations

import csv
import json
import re
import socket
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.labels import UNCERTAIN
from edge.report.charts import AREA, MIN_HEIGHT, timeline
from edge.report.events import parse
from edge.report.page import clock, page, table_rows
from edge.report.person import MAX_BINS, Event, FaceEvent
from edge.report.session import MAX_LOSSES, MAX_PEOPLE, MAX_SESSIONS, MAX_WHOLE, Sessions
from edge.sinks.report import Report
from tests import chromium
from tests.edge.samples import make_video

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
        line(0, 1e10),
        line(0, 1.7e308),
        line(0, 0.0, (1, "happy", 0.9)).replace("[1, 2,", "[1, 1e300,"),
        line(0, 0.0, (1, "happy", 0.9)).replace('{"happy": 0.9, "sad": 0.1}', "{}"),
        line(0, 0.0, (1, "happy", 0.9)).replace('"sad": 0.1', ", ".join(f'"{i}": 0' for i in range(999))),
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


def test_a_run_that_does_not_start_leaves_an_earlier_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra serve")
    earlier = tmp_path / "session.html"
    earlier.write_text("earlier")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["demo", "--no-display", "--report", str(earlier), "--serve", port]) == 2
    assert "cannot serve on" in capsys.readouterr().err
    assert earlier.read_text() == "earlier"


def test_pictures_have_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = Path(__file__).parents[2] / "edge" / "assets" / "astronaut.jpg"
    assert main([str(picture), "--no-display", "--report", str(tmp_path / "a.html")]) == 2
    assert f"expected a video or camera for {Report.option}" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "1:00"), (61, "1:01"), (3661, "1:01:01")])
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [(1.2, ["0:00.0", "0:00.3", "0:00.6", "0:00.9", "0:01.2"]), (47, ["0:00", "0:12", "0:24", "0:35", "0:47"])],
)
def test_an_axis_has_a_time_at_each_tick(seconds: float, ticks: list[str]) -> None:
    text = page("clip", summed([Event(0, 0.0, [face(1, "happy"), face(2, "sad")]), Event(1, seconds, [])]))
    assert re.findall("<span>([^<]*)", text)[:5] == ticks
    assert text.count('id="lost"') == 1, "an id is there once a page"


def test_a_crowd_is_counted_once_though_faces_flicker() -> None:
    """Expect nobody who is there to lose the timeline, nobody to be counted twice, and no second to be lost."""
    events = [Event(i, i / 10, [face(n, "happy") for n in range(1, 71) if (i + n) % 10]) for i in range(101)]
    (session,) = summed(events).all
    seen_s = sum(len(event.faces) for event in events[:-1]) / 10
    assert session.faces == 70
    assert (len(session.people), session.others_count) == (MAX_PEOPLE, 70 - MAX_PEOPLE)
    assert sum(person.seen_s for person in session.by_time()) == pytest.approx(seen_s)
    rows = list(table_rows(summed(events)))
    assert sum(float(row[4]) for row in rows[1:]) == pytest.approx(seen_s, rel=1e-4), "the table has the others too"
    assert {row[1] for row in rows[1:]} >= {"Others", "Face 1"}


def test_a_face_that_is_there_keeps_its_timeline() -> None:
    """Expect newcomers to take the timelines of those who have left, however short those who stay were seen."""
    stays = [face(n, "happy") for n in range(2, MAX_PEOPLE + 1)]
    events = [Event(0, 0.0, [face(1, "sad")]), Event(1, 9.0, stays), Event(2, 9.1, [*stays, face(98, "sad")])]
    (session,) = summed([*events, Event(3, 9.2, [*stays, face(98, "sad"), face(99, "sad")]), Event(4, 9.3, [])]).all
    assert set(session.people) == {*range(2, MAX_PEOPLE + 1), 98}
    assert session.others is not None
    assert session.others.seconds == pytest.approx({"sad": 9.1}), "face 1 and face 99"


def test_many_sessions_are_summed_up_in_bounded_memory() -> None:
    """Expect the timelines of the latest, a row for each before, the totals of all."""
    count, present = MAX_SESSIONS + 100, [face(n, "happy") for n in range(5)]
    sessions = summed([Event(i, float(i), present) for _ in range(count) for i in range(3)])
    assert (sessions.count, len(sessions.all)) == (count, MAX_SESSIONS)
    bins = [len(person.shown.seconds) for session in sessions.all for person in session.by_time()]
    assert sum(bins) <= 5 * 16 * MAX_WHOLE + MAX_SESSIONS, "timelines hold the bins that they use"
    text = page("restarts", sessions)
    assert "20:00, 3000 faces" in text
    assert (text.count("<svg viewBox"), "100 before them" in text) == (5 * MAX_WHOLE, True)
    rows = list(table_rows(sessions))
    assert rows[1][:5] == [101, "All faces", 0.0, 2.0, 10.0]
    assert sum(float(row[4]) for row in rows[1:]) == pytest.approx(10.0 * MAX_SESSIONS)


@pytest.mark.parametrize("behind_s", [0.05, 3600.0])
def test_two_cameras_in_one_file_are_reported(
    behind_s: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [time for i in range(9) for time in (i / 10 + behind_s, i / 10)]
    (tmp_path / "e.jsonl").write_text("\n".join(line(i // 2, time) for i, time in enumerate(times)))
    assert main(["report", str(tmp_path / "e.jsonl"), "-o", str(tmp_path / "e.html")]) == 0
    assert "give each camera a file of its own" in capsys.readouterr().err
    (tmp_path / "e.jsonl").write_text("\n".join(line(i % 3, i % 3 + i / 1000) for i in range(30)))
    assert main(["report", str(tmp_path / "e.jsonl"), "-o", str(tmp_path / "e.html")]) == 0
    assert not capsys.readouterr().err, "a run that starts again is no second camera"


def test_many_losses_are_counted_and_drawn() -> None:
    """Expect the closest to be drawn as one, and one at the end of the run to count."""
    events = [Event(i, float(i), [], "lost" if i % 4 == 3 else None) for i in range(1200)]
    (session,) = summed(events).all
    assert (session.loss_count, session.lost_s) == (300, 299.0), "the last has no length"
    assert len(session.losses) == MAX_LOSSES
    assert (session.losses[0][0], session.losses[-1][1]) == (3.0, 1199.0)


def test_a_column_is_as_high_as_its_share_of_time() -> None:
    """Expect a face that is there for a second in ten minutes to be a low line, one that is there to be high."""
    moments = [(600.0 * i + s, 1 - s) for i in range(500) for s in (0, 1)]
    (session,) = summed([Event(0, time, [face(1, "happy")] * n + [face(2, "sad")]) for time, n in moments]).all
    low, high = (timeline(session, person, ["red", "blue"]) for person in (session.people[1], session.people[2]))
    tops = [min(float(y) for y in re.findall(r",([\d.]+)", svg)) for svg in (low, high)]
    assert tops == pytest.approx([AREA * (1 - MIN_HEIGHT), 0])


def test_the_table_has_the_labels_of_all_sessions() -> None:
    sessions = Sessions()
    for event in [Event(0, 0.0, []), Event(1, 5.0, []), Event(0, 0.0, [face(1, "sad")]), Event(1, 2.0, [])]:
        sessions.add(event, LABELS if event.faces else ())
    head, row, *_ = table_rows(sessions)
    values = dict(zip(head, row, strict=True))
    assert (values["session"], values["sad_s"]) == (2, 0.25)


def test_pictures_come_from_the_video_of_the_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Expect another video, and pictures, to be refused; and a line if some moments differ."""
    video, events = str(make_video(tmp_path / "clip.avi", 5)), tmp_path / "e.jsonl"
    command = ["report", str(events), "-o", str(tmp_path / "e.html"), "--video"]
    same = [line(i, i / 25, (1, "happy" if i < 2 else "sad", 0.9)) for i in range(5)]
    events.write_text("\n".join(same))
    assert main([*command, video]) == 0
    assert not capsys.readouterr().err
    events.write_text("\n".join([*same, line(9, 0.4, (2, "sad", 0.9))]))
    assert main([*command, video]) == 0
    assert "1 of the strongest moments differ" in capsys.readouterr().err
    (tmp_path / "e.html").unlink()
    events.write_text("\n".join(line(i, float(i), (1, "happy", 0.9)) for i in range(10, 20)))
    assert main([*command, video]) == 2
    assert "expected the video of the events" in capsys.readouterr().err
    assert main([*command, str(Path(__file__).parents[2] / "edge" / "assets" / "astronaut.jpg")]) == 2
    assert "expected the recorded video" in capsys.readouterr().err
    assert not (tmp_path / "e.html").exists()


def test_a_phone_shows_the_whole_table(tmp_path: Path) -> None:
    label = "a long label of somebody's own model"
    sessions = Sessions()
    for time in (0.0, 60.0):
        sessions.add(Event(0, time, [FaceEvent(1, (0, 0, 9, 9), label, {label: 1.0})]), [label])
    (tmp_path / "a.html").write_text(page("phone", sessions))
    with chromium.open_page((tmp_path / "a.html").as_uri()) as shown:
        shown.resize(390, 800)
        right = "[...document.querySelectorAll('td')].map(cell => cell.getBoundingClientRect().right)"
        assert max(shown.evaluate(right)) <= 390
        bar = shown.evaluate("document.querySelector('.shares').getBoundingClientRect().width")
        assert bar > 300, "the bar has a row of its own"

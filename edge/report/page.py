"""Write sessions as one self-contained HTML page, or as a CSV table."""

from __future__ import annotations

import base64
import csv
import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from edge.draw import COLOURS
from edge.errors import UsageError
from edge.files import atomic_write
from edge.labels import UNCERTAIN
from edge.report.charts import GREY, LOST_PATTERN, columns, timeline
from edge.report.person import Person
from edge.report.session import Session, Sessions

SUFFIXES = (".html", ".htm", ".csv")
CHARTS = 12  # people with a timeline, each session
TICKS = 5
SPARE_COLOURS = ("#4c9be8", "#f2a541", "#5bb974", "#c678b8", "#e5645f", "#9aa5b1", "#46b3a8", "#b5a642")
STYLE = Path(__file__).with_name("page.css")


def check_report(option: str, path: Path) -> None:
    """Raise UsageError unless the name is that of a page or a table."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"expected {option} with a name ending in .html or .csv, found {path}")


def write_report(path: Path, title: str, sessions: Sessions) -> None:
    """Write the sessions as the name's suffix says, whole or not at all. Raises OutputError."""
    with atomic_write(path) as tmp:
        if path.suffix.lower() == ".csv":
            with tmp.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(table_rows(sessions))
        else:
            tmp.write_text(page(title, sessions), encoding="utf-8")


def page(title: str, sessions: Sessions) -> str:
    """Return the HTML page: for each session a table of people and a timeline of each; then the earlier sessions."""
    colours = colours_of(sessions.labels)
    parts = [f"<h1>{escape(title)}</h1>", f"<p class=soft>{_summary(sessions)}</p>", LOST_PATTERN, _legend(colours)]
    for session in sessions.all:
        if session.is_whole:
            if sessions.count > 1:
                parts.append(f"<h2>Session {session.number}: {clock(session.duration_s)}</h2>")
            parts += _session(session, colours)
    parts += _earlier(sessions, colours)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head><body>{''.join(parts)}"
        "<footer>Where a timeline is low, the face was there for a part of that time. Expressions as a model reads "
        "them in faces, not what somebody feels. A face has one number for as long as it is tracked; a person who "
        "leaves and comes back gets a new one.</footer></body></html>\n"
    )


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the CSS colour of each label: the drawing's for the known emotions."""
    spare = iter(SPARE_COLOURS * (len(labels) // len(SPARE_COLOURS) + 1))
    return {label: _css(COLOURS[label]) if label in COLOURS else next(spare) for label in labels}


def _css(bgr: tuple[int, int, int]) -> str:
    blue, green, red = bgr
    return f"#{red:02x}{green:02x}{blue:02x}"


def clock(seconds: float, of_s: float = math.inf) -> str:
    """Return a duration as 1:02:03 or 2:03; as 0:02.3 if the whole, `of_s`, lasts less than ten seconds."""
    tenths = round(seconds * 10) if of_s < 10 else round(seconds) * 10
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest / 10:04.1f}" if of_s < 10 else f"{rest // 10:02d}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def _summary(sessions: Sessions) -> str:
    everything = [sessions.earliest, *sessions.all]
    duration_s = sum(session.duration_s for session in everything)
    people = sum(session.faces for session in everything)
    parts = [clock(duration_s, duration_s), f"{people} face{'s' * (people != 1)}"]
    losses = sum(session.loss_count for session in everything)
    if losses:
        lost_s = sum(session.lost_s for session in everything)
        parts.append(f"camera lost {losses} time{'s' * (losses != 1)} for {clock(lost_s, duration_s)}")
    return ", ".join(parts)


def _legend(colours: dict[str, str]) -> str:
    lost = "repeating-linear-gradient(45deg,currentColor 0 2px,transparent 2px 4px)"
    items = [*colours.items(), (UNCERTAIN, GREY), ("camera lost", lost)]
    entries = [f'<li><i style="background:{colour}"></i>{escape(label)}</li>' for label, colour in items]
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _session(session: Session, colours: dict[str, str]) -> Iterator[str]:
    people = session.by_time()
    if not people:
        yield "<p>No face was seen.</p>"
        return
    yield _table("Face", [(person.name, person) for person in people], session.duration_s, colours)
    for person in people[: min(len(session.people), CHARTS)]:
        yield (
            f"<figure><figcaption><b>{escape(person.name)}</b>"
            f"<span class=soft>seen for {clock(person.seen_s, session.duration_s)}</span></figcaption>"
            f"{timeline(session, person, [colours[label] for label in session.labels])}{_axis(session)}"
            f"{_moments(person, session)}</figure>"
        )
    if len(session.people) > CHARTS:
        yield f"<p class=soft>Timelines of the {CHARTS} faces that were seen longest; the table has all.</p>"


def _earlier(sessions: Sessions, colours: dict[str, str]) -> Iterator[str]:
    """Yield a table with a row for each session that was summed up."""
    rows = [
        (f"{session.number} ({clock(session.duration_s)})", session.others)
        for session in sessions.all
        if not session.is_whole and session.others
    ]
    if rows:
        left_out = sessions.count - len(sessions.all)
        before = f"; {left_out} before them count in the totals above" if left_out else ""
        yield f"<h2>Earlier sessions</h2><p class=soft>Length in brackets; times of all faces are added up{before}.</p>"
        yield _table("Session", rows, math.inf, colours)


def _axis(session: Session) -> str:
    start = session.start_s or 0.0
    ticks = [start + session.duration_s * i / (TICKS - 1) for i in range(TICKS)]
    return f'<div class="axis">{"".join(f"<span>{clock(tick, session.duration_s)}</span>" for tick in ticks)}</div>'


def _moments(person: Person, session: Session) -> str:
    """Return the strongest moment of each emotion, the most probable first."""
    items = []
    for label, peak in sorted(person.peaks.items(), key=lambda item: -item[1].probability):
        picture = ""
        if peak.picture:
            data = base64.b64encode(peak.picture).decode("ascii")
            picture = f'<img alt="{escape(label)}" src="data:image/jpeg;base64,{data}">'
        time = clock(peak.time_s, session.duration_s)
        items.append(f"<li>{picture}{escape(label)} {peak.probability:.0%} at {time}</li>")
    return f'<ul class="moments">{"".join(items)}</ul>' if items else ""


def _table(title: str, people: Sequence[tuple[str, Person]], of_s: float, colours: dict[str, str]) -> str:
    """Return a row for each name and person; `title` is that of the first column, `of_s` the session's seconds."""
    rows = []
    for name, person in people:
        seen = max(person.seen_s, 1e-9)
        shares = {label: person.seconds[label] / seen for label in (*person.labels, UNCERTAIN)}
        bars = "".join(
            f'<span style="width:{share:.1%};background:{colours.get(label, GREY)}"'
            f' title="{escape(label)} {share:.0%}"></span>'
            for label, share in shares.items()
            if share > 0
        )
        mostly = max(shares, key=shares.__getitem__)
        rows.append(
            f"<tr><td>{escape(name)}</td><td class=n>{clock(person.seen_s, of_s)}</td>"
            f"<td class=label>{f'{escape(mostly)} {shares[mostly]:.0%}' if person.seen_s else ''}</td>"
            f'<td class=share><div class="shares">{bars}</div></td>'
            f"<td class=n>{person.changes / seen * 60 if person.seen_s else 0:.1f}</td></tr>"
        )
    head = (
        f"<tr><th>{title}</th><th class=n>Seen</th><th class=label>Mostly</th><th class=share>Share of time</th>"
        "<th class=n>Changes<wbr>/min</th></tr>"
    )
    return f'<div class="table"><table>{head}{"".join(rows)}</table></div>'


def table_rows(sessions: Sessions) -> Iterator[list[str | float]]:
    """Yield the rows of the CSV table: seconds and mean probabilities by session, face and time.

    Columns are the labels of all sessions. "Others" and sessions that were summed up add up several faces.
    """
    labels = sessions.labels
    yield [
        *("session", "face", "start_s", "stop_s", "seen_s"),
        *(f"{label}_s" for label in (*labels, UNCERTAIN)),
        *labels,
    ]
    for session in sessions.all:
        for person in session.by_time():
            shown, probabilities, width_s = columns(session, person)
            for i, seconds in enumerate(shown):
                seen = float(seconds.sum())
                if seen <= 0:
                    continue
                start = (session.start_s or 0.0) + i * width_s
                by_label = dict(zip((*session.labels, UNCERTAIN), seconds.tolist(), strict=True))
                means = dict(zip(session.labels, (probabilities[i] / seen).tolist(), strict=True))
                row = [round(value, 4) for value in (start, start + width_s, seen)]
                row += [round(by_label.get(label, 0.0), 4) for label in (*labels, UNCERTAIN)]
                row += [round(means.get(label, 0.0), 4) for label in labels]
                yield [session.number, person.name, *row]

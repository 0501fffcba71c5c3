"""Write sessions as one self-contained HTML page, or as a CSV table."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from edge.draw import COLOURS
from edge.errors import UsageError
from edge.files import atomic_write
from edge.labels import UNCERTAIN
from edge.report.charts import GREY, columns, timeline
from edge.report.session import Person, Session, Sessions

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
    """Return the HTML page: for each session a table of people and a timeline of each."""
    labels = list(dict.fromkeys(label for session in sessions.all for label in session.labels))
    colours = colours_of(labels)
    parts = [f"<h1>{escape(title)}</h1>", f"<p class=soft>{_summary(sessions)}</p>", _legend(colours)]
    for number, session in enumerate(sessions.all, start=1):
        if len(sessions.all) > 1:
            parts.append(f"<h2>Session {number}: {clock(session.duration_s)}</h2>")
        parts += _session(session, [colours[label] for label in session.labels])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head><body>{''.join(parts)}"
        "<footer>Expressions as a model reads them in faces, not what somebody feels. A face has one number for as "
        "long as it is tracked; a person who leaves and comes back gets a new one.</footer></body></html>\n"
    )


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return the CSS colour of each label: the drawing's for the known emotions."""
    spare = iter(SPARE_COLOURS * (len(labels) // len(SPARE_COLOURS) + 1))
    return {label: _css(COLOURS[label]) if label in COLOURS else next(spare) for label in labels}


def _css(bgr: tuple[int, int, int]) -> str:
    blue, green, red = bgr
    return f"#{red:02x}{green:02x}{blue:02x}"


def clock(seconds: float) -> str:
    """Return a duration as 1:02:03 or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _summary(sessions: Sessions) -> str:
    people = sum(len(session.people) + session.others_count for session in sessions.all)
    parts = [clock(sum(session.duration_s for session in sessions.all)), f"{people} face{'s' * (people != 1)}"]
    losses = sum(len(session.losses) for session in sessions.all)
    if losses:
        lost_s = sum(session.lost_s for session in sessions.all)
        parts.append(f"camera lost {losses} time{'s' * (losses != 1)} for {clock(lost_s)}")
    return ", ".join(parts)


def _legend(colours: dict[str, str]) -> str:
    lost = "repeating-linear-gradient(45deg,currentColor 0 2px,transparent 2px 4px)"
    items = [*colours.items(), (UNCERTAIN, GREY), ("camera lost", lost)]
    entries = [f'<li><i style="background:{colour}"></i>{escape(label)}</li>' for label, colour in items]
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _session(session: Session, colours: Sequence[str]) -> Iterator[str]:
    people = session.by_time()
    if not people:
        yield "<p>No face was seen.</p>"
        return
    yield _table([*people, *([session.others] if session.others else [])], colours)
    for person in people[:CHARTS]:
        yield (
            f"<figure><figcaption><b>{escape(person.name)}</b><span class=soft>seen for {clock(person.seen_s)}</span>"
            f"</figcaption>{timeline(session, person, colours)}{_axis(session)}{_moments(person)}</figure>"
        )
    if len(people) > CHARTS:
        yield f"<p class=soft>Timelines of the {CHARTS} faces that were seen longest; the table has all.</p>"


def _axis(session: Session) -> str:
    start = session.start_s or 0.0
    ticks = [start + session.duration_s * i / (TICKS - 1) for i in range(TICKS)]
    return f'<div class="axis">{"".join(f"<span>{clock(tick)}</span>" for tick in ticks)}</div>'


def _moments(person: Person) -> str:
    """Return the strongest moment of each emotion, the most probable first."""
    items = []
    for label, peak in sorted(person.peaks.items(), key=lambda item: -item[1].probability):
        picture = ""
        if peak.picture:
            data = base64.b64encode(peak.picture).decode("ascii")
            picture = f'<img alt="{escape(label)}" src="data:image/jpeg;base64,{data}">'
        items.append(f"<li>{picture}{escape(label)} {peak.probability:.0%} at {clock(peak.time_s)}</li>")
    return f'<ul class="moments">{"".join(items)}</ul>' if items else ""


def _table(people: Sequence[Person], colours: Sequence[str]) -> str:
    rows = []
    for person in people:
        seen = max(person.seen_s, 1e-9)
        shares = [(label, person.seconds[label] / seen) for label in (*person.labels, UNCERTAIN)]
        bars = "".join(
            f'<span style="width:{share:.1%};background:{colour}" title="{escape(label)} {share:.0%}"></span>'
            for (label, share), colour in zip(shares, [*colours, GREY], strict=True)
            if share > 0
        )
        label, share = max(shares, key=lambda item: item[1])
        rows.append(
            f"<tr><td>{escape(person.name)}</td><td class=n>{clock(person.seen_s)}</td>"
            f'<td>{escape(label)} {share:.0%}</td><td style="width:45%"><div class="shares">{bars}</div></td>'
            f"<td class=n>{person.changes / seen * 60 if person.seen_s else 0:.1f}</td></tr>"
        )
    head = (
        "<tr><th>Face</th><th class=n>Seen</th><th>Mostly</th><th>Share of time</th><th class=n>Changes/min</th></tr>"
    )
    return f'<div class="table"><table>{head}{"".join(rows)}</table></div>'


def table_rows(sessions: Sessions) -> Iterator[list[str | float]]:
    """Yield the rows of the CSV table: seconds and mean probabilities by session, face and time.

    Columns are the labels of the first session; an emotion that it does not have is left out.
    """
    labels = sessions.all[0].labels if sessions.all else ()
    yield [
        *("session", "face", "start_s", "stop_s", "seen_s"),
        *(f"{label}_s" for label in (*labels, UNCERTAIN)),
        *labels,
    ]
    for number, session in enumerate(sessions.all, start=1):
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
                yield [number, person.name, *row]

"""Draw a person's timeline as SVG: mean probabilities as stacked areas, and below them the emotions as shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge.report.person import Person
from edge.report.session import Session
from edge.values import Floats

WIDTH = 1000  # of the drawing, in its own units
AREA = 100  # height of the areas
STRIP = 16  # height of the strip below
GAP = 4
MAX_COLUMNS = 400
MIN_HEIGHT = 0.1  # of a column in which the face was there for a moment
GREY = "#59616d"  # uncertain; neutral is a light grey

LOST_PATTERN = (  # stripes where the camera was lost; once a page
    '<svg style="position:absolute;width:0;height:0">'
    '<pattern id="lost" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V8" stroke="currentColor" stroke-opacity=".6" stroke-width="5"/></pattern></svg>'
)


def timeline(session: Session, person: Person, colours: Sequence[str]) -> str:
    """Return an SVG element of the person's timeline; where nobody was seen, it is empty."""
    shown, probabilities, columns_s = columns(session, person)
    scale = WIDTH * columns_s / max(session.duration_s, columns_s / 10)  # the last column may end before its time
    heights = _heights(shown.sum(axis=1), columns_s, session.duration_s)
    shapes = [*_areas(probabilities, heights, scale, colours), *_strip(shown, heights, scale, [*colours, GREY])]
    for start, stop in session.losses:
        x, width = start / columns_s * scale, max((stop - start) / columns_s * scale, 1.5)
        shapes.append(
            f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{AREA + GAP + STRIP}" fill="url(#lost)">'
            "<title>camera lost</title></rect>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {AREA + GAP + STRIP}" preserveAspectRatio="none" role="img" '
        f'aria-label="Timeline of {person.name}">{"".join(shapes)}</svg>'
    )


def columns(session: Session, person: Person) -> tuple[Floats, Floats, float]:
    """Return shown seconds [n, labels + 1], probability seconds [n, labels] and the width in seconds of a column."""
    used = max(int(np.ceil(session.duration_s / session.bin_s)), 1)
    step = -(-used // MAX_COLUMNS)
    edges = np.arange(0, used, step)
    shown, probabilities = (
        np.add.reduceat(table.first(used), edges, axis=0) for table in (person.shown, person.probabilities)
    )
    return shown, probabilities, step * session.bin_s


def _heights(seen: Floats, columns_s: float, duration_s: float) -> Floats:
    """Return the share of each column's time in which the face was there, [n]; at least MIN_HEIGHT for a moment."""
    starts = np.arange(len(seen)) * columns_s
    shares = seen / np.clip(duration_s - starts, 1e-9, columns_s)
    return np.where(seen > 0, np.clip(shares, MIN_HEIGHT, 1), 0)


def _areas(probabilities: Floats, heights: Floats, scale: float, colours: Sequence[str]) -> Iterator[str]:
    """Yield one polygon for each emotion and stretch of time in which the face was there."""
    shares = probabilities / np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-9)
    shares *= heights[:, None]
    tops = AREA * (1 - np.hstack([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)]))
    for start, stop in _stretches(heights > 0):
        xs = np.repeat(np.arange(start, stop + 1), 2)[1:-1] * scale  # steps: a column is as wide as its time
        for label, colour in enumerate(colours):
            if shares[start:stop, label].max() < 0.005:
                continue
            upper, lower = (np.repeat(tops[start:stop, label + edge], 2) for edge in (1, 0))
            points = [*zip(xs, upper, strict=True), *zip(xs[::-1], lower[::-1], strict=True)]
            yield f'<polygon fill="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _strip(shown: Floats, heights: Floats, scale: float, colours: Sequence[str]) -> Iterator[str]:
    """Yield one rectangle for each stretch of time with the same emotion and height."""
    rows = np.stack([shown.argmax(axis=1), np.ceil(STRIP * heights)], axis=1).astype(int)
    starts = np.flatnonzero(np.diff(rows, axis=0, prepend=-1).any(axis=1))
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        emotion, height = rows[start]
        if height:
            place = f'x="{start * scale:.1f}" y="{AREA + GAP + STRIP - height}" width="{(stop - start) * scale:.1f}"'
            yield f'<rect {place} height="{height}" fill="{colours[emotion]}"/>'


def _stretches(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of true values."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    yield from zip(changes[0::2].tolist(), changes[1::2].tolist(), strict=True)

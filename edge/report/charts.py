"""Draw a person's timeline as SVG: mean probabilities as stacked areas, and below them the emotions as shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge.report.session import Person, Session
from edge.values import Floats

WIDTH = 1000  # of the drawing, in its own units
AREA = 100  # height of the areas
STRIP = 16  # height of the strip below
GAP = 4
MAX_COLUMNS = 400
GREY = "#59616d"  # uncertain; neutral is a light grey

LOST_PATTERN = (  # stripes where the camera was lost
    '<pattern id="lost" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V8" stroke="currentColor" stroke-opacity=".6" stroke-width="5"/></pattern>'
)


def timeline(session: Session, person: Person, colours: Sequence[str]) -> str:
    """Return an SVG element of the person's timeline; where nobody was seen, it is empty."""
    shown, probabilities, columns_s = columns(session, person)
    seen = shown.sum(axis=1)
    scale = WIDTH / len(seen)
    shapes = [*_areas(probabilities, seen, scale, colours), *_strip(shown, scale, [*colours, GREY])]
    for start, stop in session.losses:
        x, width = start / columns_s * scale, max((stop - start) / columns_s * scale, 1.5)
        shapes.append(
            f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="{AREA + GAP + STRIP}" fill="url(#lost)">'
            "<title>camera lost</title></rect>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {AREA + GAP + STRIP}" preserveAspectRatio="none" role="img" '
        f'aria-label="Timeline of {person.name}">{LOST_PATTERN}{"".join(shapes)}</svg>'
    )


def columns(session: Session, person: Person) -> tuple[Floats, Floats, float]:
    """Return shown seconds [n, labels + 1], probability seconds [n, labels] and the width in seconds of a column."""
    used = max(int(np.ceil(session.duration_s / session.bin_s)), 1)
    step = -(-used // MAX_COLUMNS)
    edges = np.arange(0, used, step)
    shown, probabilities = (
        np.add.reduceat(table.seconds[:used], edges, axis=0) for table in (person.shown, person.probabilities)
    )
    return shown, probabilities, step * session.bin_s


def _areas(probabilities: Floats, seen: Floats, scale: float, colours: Sequence[str]) -> Iterator[str]:
    """Yield one polygon for each emotion and stretch of time in which the face was there."""
    shares = probabilities / np.maximum(seen, 1e-9)[:, None]
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-9)  # probabilities were rounded
    tops = AREA * (1 - np.hstack([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)]))
    for start, stop in _stretches(seen > 0):
        xs = np.repeat(np.arange(start, stop + 1), 2)[1:-1] * scale  # steps: a column is as wide as its time
        for label, colour in enumerate(colours):
            if shares[start:stop, label].max() < 0.005:
                continue
            upper, lower = (np.repeat(tops[start:stop, label + edge], 2) for edge in (1, 0))
            points = [*zip(xs, upper, strict=True), *zip(xs[::-1], lower[::-1], strict=True)]
            yield f'<polygon fill="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _strip(shown: Floats, scale: float, colours: Sequence[str]) -> Iterator[str]:
    """Yield one rectangle for each stretch of time with the same emotion."""
    main = np.where(shown.sum(axis=1) > 0, shown.argmax(axis=1), -1)
    starts = np.flatnonzero(np.diff(main, prepend=-2))
    for start, stop in zip(starts, [*starts[1:], len(main)], strict=True):
        if main[start] >= 0:
            place = f'x="{start * scale:.1f}" y="{AREA + GAP}" width="{(stop - start) * scale:.1f}" height="{STRIP}"'
            yield f'<rect {place} fill="{colours[main[start]]}"/>'


def _stretches(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of true values."""
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    yield from zip(changes[0::2].tolist(), changes[1::2].tolist(), strict=True)

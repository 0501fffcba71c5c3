"""Report what was seen: a timeline of each face, its share of time by emotion, changes and strongest moments.

edge-emotion report events.jsonl -o session.html
edge-emotion report events.jsonl -o session.html --video clip.mp4     with pictures of the strongest moments
edge-emotion report events.jsonl -o session.csv                       the timelines as a table
edge-emotion clip.mp4 --no-display --events - | edge-emotion report - -o session.html

The events are the JSON lines of `--events`. `edge-emotion SOURCE --report session.html` writes the page directly.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.arguments import ArgumentParser
from edge.errors import UsageError, exit_status
from edge.files import check_writable, same_file
from edge.report.events import STANDARD_INPUT, EventReader
from edge.report.page import check_report, write_report
from edge.report.pictures import add_pictures
from edge.report.session import Sessions

MIN_OVERLAPS = 3  # steps back in time after which events are not those of one camera


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = ArgumentParser("edge-emotion report", __doc__)
    parser.add_argument("events", metavar="EVENTS", help="file of --events, or - for standard input")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="page (.html) or table (.csv)")
    parser.add_argument("--video", metavar="FILE", help="the source of the events; its faces are shown on the page")
    args = parser.parse_args(argv)
    return exit_status(lambda: report(args))


def report(args: argparse.Namespace) -> int:
    """Read the events and write the report; return 2 if lines had to be skipped, else 0."""
    check_report("--out", args.out)
    check_writable(args.out)
    for path in (args.events, args.video):
        if path is not None and same_file(args.out, Path(path)):
            raise UsageError(f"expected --out other than the input, found {args.out}")
    reader = EventReader(args.events)
    sessions = Sessions()
    for event in reader:
        sessions.add(event, tuple(event.faces[0].probabilities) if event.faces else ())
    disagreeing = add_pictures(sessions, args.video) if args.video else 0
    title = "standard input" if args.events == STANDARD_INPUT else Path(args.events).name
    write_report(args.out, title, sessions)
    print(f"{reader.events} events in {sessions.count} session(s): {args.out}")
    if disagreeing:
        print(f"{disagreeing} of the strongest moments differ from {args.video}: is it another video?", file=sys.stderr)
    if sessions.overlaps >= MIN_OVERLAPS:
        print(
            f"times in {args.events} step back in mid-run {sessions.overlaps} times, so sums are wrong:"
            " give each camera a file of its own",
            file=sys.stderr,
        )
    if reader.broken:
        print(f"skipped {reader.broken} line(s) of {args.events} that hold no event", file=sys.stderr)
    return 2 if reader.broken else 0

"""Save your own face, by label, to train on: press a label's number while you show it.

edge-emotion collect --labels bored,focused,away
edge-emotion collect 0 --labels happy,neutral,sad --out my_faces

Each press of 1 to 9 saves the largest face, cut out as the model sees it, in the folder of that label. q ends. Ten
pictures a label are enough to begin with; vary light and pose.
"""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from edge.arguments import ArgumentParser
from edge.detector import DETECTORS, open_detector, set_cores
from edge.detectors.base import Detector
from edge.errors import UsageError, exit_status
from edge.files import check_writable
from edge.opencv import cv2
from edge.preprocess import crop
from edge.sinks.window import (
    ESCAPE,
    TITLE,
    is_visible,
    open_window,
    snapshot,
    window_size,
    window_unavailable,
)
from edge.source import open_source, paced
from edge.stopping import stop_on_signals
from edge.text import Tag
from edge.values import Box, Frame, Image

MAX_LABELS = 9  # one a key
LABEL = re.compile(r"[^\W_][\w -]{0,39}")  # a folder's name on every system
SMALLEST_FACE = 1 / 8  # of the longer side: a face further away is too small to learn from
TEXT = 1 / 40  # height of a capital, of the picture's
GREEN = (80, 180, 60)  # BGR


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("edge-emotion collect", __doc__)
    parser.add_argument("source", nargs="?", default="0", help="camera, stream or video")
    parser.add_argument(
        "--labels", type=parse_labels, required=True, metavar="NAME,...", help=f"two to {MAX_LABELS} labels"
    )
    parser.add_argument("--out", type=Path, default=Path("my_faces"), help="folder that gets a folder for each label")
    parser.add_argument("--detector", choices=["auto", *DETECTORS], default="auto", help="face detector")
    return parser.parse_args(argv)


def parse_labels(text: str) -> tuple[str, ...]:
    """Parse labels separated by commas. Raises ArgumentTypeError for one that cannot name a folder."""
    labels = tuple(part.strip() for part in text.split(","))
    if not 2 <= len({label.lower() for label in labels}) == len(labels) <= MAX_LABELS:
        raise argparse.ArgumentTypeError(f"expected two to {MAX_LABELS} different labels as a,b,c, found {text!r}")
    if wrong := [label for label in labels if not LABEL.fullmatch(label)]:
        raise argparse.ArgumentTypeError(f"expected labels of letters, digits, spaces, - and _, found {wrong[0]!r}")
    return labels


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    args = parse_args(argv)
    return exit_status(lambda: collect(args.source, args.labels, args.out, args.detector))


def collect(source_name: str, labels: tuple[str, ...], out: Path, detector_name: str = "auto") -> int:
    """Show the source, save faces at the press of a key, and say how to train on them.

    Raises UsageError without a display, SourceError or OutputError.
    """
    if reason := window_unavailable():
        raise UsageError(f"expected a display, to show your face and to take keys, found none ({reason})")
    check_writable(out / labels[0] / "snapshot.png")
    with (
        contextlib.closing(open_detector(detector_name)) as detector,
        open_source(source_name) as source,
        stop_on_signals(source.stop),
    ):
        if source.independent:
            raise UsageError(f"expected a camera, a stream or a video, found pictures ({source_name})")
        set_cores(detector)
        collector = Collector(detector, labels, out)
        open_window()
        try:
            for frame in paced(source):
                if not collector.show(frame):
                    break
        finally:
            cv2.destroyAllWindows()
    print(f"{out}: {', '.join(f'{label} {count}' for label, count in collector.counts.items())}")
    print(f"to train on them, in a checkout: python -m train --data {out} --weights models/emotion.keras")
    return 0


class Collector:
    """Find the largest face of each frame, and save it at the press of a label's key."""

    def __init__(self, detector: Detector, labels: tuple[str, ...], out: Path) -> None:
        self._detector = detector
        self._labels = labels
        self._out = out
        self.counts = {label: self._count(label) for label in labels}  # of pictures, those of earlier runs included
        self._size: tuple[int, int] | None = None  # of the window

    def _count(self, label: str) -> int:
        return sum(1 for _ in (self._out / label).glob("*.png"))

    def show(self, frame: Frame) -> bool:
        """Show a frame and handle a key; return False at the end: q, Esc, or a closed window."""
        smallest = SMALLEST_FACE * max(frame.image.shape[:2])
        faces = [] if frame.error else self._detector.detect(frame.image, smallest)
        if self._size is not None and not is_visible():
            return False
        if self._size != (size := window_size(frame.image)):
            cv2.resizeWindow(TITLE, *size)
            self._size = size
        box = faces[0].box if faces else None
        cv2.imshow(TITLE, self._drawn(frame.image, box, frame.error or ("" if box else "no face")))
        key = cv2.waitKey(1) & 0xFF
        index = key - ord("1")
        if 0 <= index < len(self._labels):
            label = self._labels[index]
            print(self._save(crop(frame.image, box), label) if box else f"not saved as {label}: no face", flush=True)
        return key not in (ord("q"), ESCAPE)

    def _save(self, face: Image, label: str) -> str:
        """Write the face to the first free name in the label's folder; return a message."""
        folder = self._out / label
        folder.mkdir(parents=True, exist_ok=True)
        message = snapshot(face, folder)
        self.counts[label] = self._count(label)
        return message

    def _drawn(self, image: Image, box: Box | None, notice: str) -> Image:
        drawn = image.copy()
        if box:
            corners = ((box.x, box.y), (box.x + box.width, box.y + box.height))
            cv2.rectangle(drawn, *corners, GREEN, max(1, drawn.shape[0] // 240))
        height = max(6, round(TEXT * image.shape[0]))
        lines = [f"{i} {label} {count}" for i, (label, count) in enumerate(self.counts.items(), 1)]
        top = 0
        for line in [*lines, "q ends", *([notice] if notice else [])]:
            tag = Tag((line,), height, GREEN)
            tag.draw(drawn, 0, top)
            top += tag.size[1]
        return drawn

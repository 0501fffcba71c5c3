"""What following faces between detections costs in truth, and what smoothing brings in calm.

python -m benchmarks.steadiness --sources clip.mp4 other.mp4 [--detector-model blaze_face_short_range.tflite]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import loop
from benchmarks.report.blocks import Table, Text, markdown
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.detectors.base import Detector
from edge.errors import exit_status
from edge.smoother import Smoother
from edge.tracker import Tracker
from edge.values import Box, Frame

AGREE_IOU = 0.5


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.steadiness", __doc__)
    parser.add_argument("--sources", nargs="+", default=["demo"], metavar="CLIP", help="their first ten seconds each")
    parser.add_argument("--model", type=Path, default=SHIPPED, help=".tflite or .onnx file made by export")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file; without it, Haar alone")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: benchmark(args))


def benchmark(args: argparse.Namespace) -> int:
    classifier = Classifier(open_backend(args.model, 1))
    detectors = [open_detector("haar")]
    if args.detector_model:
        detectors.append(open_detector("blazeface", args.detector_model))
    rows = []
    for source in args.sources:
        frames = loop.read(source).frames
        rows += [
            {"source": source, "detector": detector.name, **measure(detector, classifier, frames, None)}
            for detector in detectors
        ]
    print(markdown([_table(rows), *(Text(line) for line in _agreements(rows))]), end="")
    return 0


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    head = ["clip", "detector", "frames", "agreement", "detected on", "ids", "changes/s raw", "smoothed", "shown"]
    return Table(
        head,
        [
            [
                f"`{row['source']}`",
                row["detector"],
                str(row["frames"]),
                f"{row['agreement']:.3f}",
                f"{row['detections'] / row['frames']:.0%}",
                str(row["ids"]),
                *("-" if value is None else f"{value:.2f}" for value in row["changes_per_s"].values()),
            ]
            for row in rows
        ],
    )


def _agreements(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Over all clips, and over the frames with a face alone: where nobody is, it is easy to agree."""
    lines = []
    for detector in dict.fromkeys(row["detector"] for row in rows):
        own = [row for row in rows if row["detector"] == detector]
        frames, with_face = (sum(row[key] for row in own) for key in ("frames", "frames_with_face"))
        apart = sum(row["disagreeing"] for row in own)
        text = f"{detector}: boxes as by detecting always (IoU 0.5) on {1 - apart / frames:.3f} of {frames} frames"
        worst = min(own, key=lambda row: row["agreement"])
        text += f", {1 - apart / with_face:.3f} of the {with_face} with a face" if with_face else ""
        lines.append(f"{text}; {worst['agreement']:.3f} on the worst clip.")
    return lines


def measure(
    detector: Detector, classifier: Classifier, frames: Sequence[Frame], detect_interval: int | None
) -> dict[str, Any]:
    """Share of frames whose boxes agree with a detection on every frame; name changes a second of a face."""
    tracker, labels = Tracker(detector, detect_interval), classifier.card.labels
    kinds = {
        "raw": Smoother(labels, time_constant_s=0, uncertain_below=0, hysteresis=0),
        "smoothed": Smoother(labels, uncertain_below=0, hysteresis=0),
        "shown": Smoother(labels),
    }
    last: dict[tuple[str, int], str] = {}
    changes, face_frames, apart, with_face = dict.fromkeys(kinds, 0), 0, 0, 0
    for frame in frames:
        followed = tracker.find(frame.image)
        detected = detector.detect(frame.image)
        apart += not same_boxes([face.box for face in followed.values()], [face.box for face in detected])
        with_face += bool(followed or detected)
        for id_, face in followed.items():
            raw = classifier.read(frame.image, face.box)
            face_frames += 1
            for kind, smoother in kinds.items():
                _, name = smoother.update(id_, frame.time_s, raw)
                changes[kind] += last.get((kind, id_), name) != name
                last[kind, id_] = name
    span_s = (frames[-1].time_s - frames[0].time_s) / max(1, len(frames) - 1)
    seconds = face_frames * span_s
    return {
        "frames": len(frames),
        "frames_with_face": with_face,
        "disagreeing": apart,
        "agreement": 1 - apart / len(frames),
        "detections": tracker.detections,
        "ids": len({id_ for _, id_ in last}),
        "changes_per_s": {kind: count / seconds if seconds else None for kind, count in changes.items()},
        "face_seconds": seconds,
    }


def same_boxes(some: Sequence[Box], others: Sequence[Box]) -> bool:
    """As many boxes, each with one of the others at an IoU of 0.5 or more, no two with the same."""
    left = list(others)
    for box in some:
        best = max(left, key=box.iou, default=None)
        if best is None or box.iou(best) < AGREE_IOU:
            return False
        left.remove(best)
    return not left


if __name__ == "__main__":
    raise SystemExit(main())

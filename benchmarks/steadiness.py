"""What following faces between detections costs in truth, and what smoothing brings in calm, on a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge.classifier import Classifier
from edge.detector import Detector
from edge.smoother import Smoother
from edge.tracker import Tracker
from edge.values import Box, Frame

AGREE_IOU = 0.5


def measure(detector: Detector, classifier: Classifier, frames: Sequence[Frame], every: int | None) -> dict[str, Any]:
    """Share of frames whose boxes agree with a detection on every frame; name changes a second of a face."""
    tracker, labels = Tracker(detector, every), classifier.card.labels
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

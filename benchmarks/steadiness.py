"""Measure how well tracked boxes agree with detected ones, and how much smoothing reduces label flicker.

python -m benchmarks.steadiness --sources clip.mp4 other.mp4 [--detector-model blaze_face_short_range.tflite]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure.clip import read_clip
from benchmarks.measure.detectors import open_detectors
from benchmarks.report.blocks import Table, Text, markdown
from edge.arguments import ArgumentParser
from edge.backend import SHIPPED, model_path, open_backend
from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.errors import exit_status
from edge.smoother import Smoother
from edge.tracker import Tracker
from edge.values import Box, Frame, Probabilities
from train.tables import Number

MIN_IOU = 0.5  # of two boxes that agree


@dataclass(frozen=True)
class Options:
    sources: Sequence[str]
    model: Path
    detector_model: Path | None


@dataclass(frozen=True)
class Steadiness:
    """Hold the results of one clip and detector. Label changes are per second and face, by kind of smoothing."""

    detector: str
    frames: int
    frames_with_face: int
    disagreeing: int  # frames whose tracked boxes differ from the detected ones
    detections: int
    ids: int
    changes_per_s: dict[str, float | None]

    @property
    def agreement(self) -> float:
        return 1 - self.disagreeing / self.frames


def parse_args(argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks.steadiness", __doc__)
    parser.add_argument("--sources", nargs="+", default=["demo"], metavar="CLIP", help="the first ten seconds of each")
    parser.add_argument("--model", type=model_path, default=SHIPPED, help=".tflite or .onnx file made by export")
    parser.add_argument(
        "--detector-model", type=Path, metavar="FILE", help="for the detector that can use it; default: its usual file"
    )
    return Options(**vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> int:
    options = parse_args(argv)
    return exit_status(lambda: benchmark(options))


def benchmark(options: Options) -> int:
    """Print a table of all clips and detectors, and a summary of each detector."""
    classifier = Classifier(open_backend(options.model, 1))
    detectors = open_detectors(options.detector_model)
    results = []
    for source in options.sources:
        frames = read_clip(source).frames
        results += [(source, measure(detector, classifier, frames, None)) for detector in detectors]
    summaries = [Text(_summary(detector.name, [item for _, item in results])) for detector in detectors]
    print(markdown([_table(results), *summaries]), end="")
    return 0


def _table(results: Sequence[tuple[str, Steadiness]]) -> Table:
    head = ["clip", "detector", "frames", "agreement", "detected on", "ids", "changes/s raw", "smoothed", "shown"]
    rows = []
    for source, item in results:
        row = [f"`{source}`", item.detector, str(item.frames), f"{item.agreement:.3f}"]
        row += [f"{item.detections / item.frames:.0%}", str(item.ids)]
        rows.append(row + [Number(rate, ".2f") for rate in item.changes_per_s.values()])
    return Table(head, rows)


def _summary(detector: str, results: Sequence[Steadiness]) -> str:
    """Return the agreement over all clips, and over the frames with a face: without one, it is easy to agree."""
    own = [item for item in results if item.detector == detector]
    frames = sum(item.frames for item in own)
    with_face = sum(item.frames_with_face for item in own)
    disagreeing = sum(item.disagreeing for item in own)
    text = (
        f"{detector}: tracked boxes agree with those of a detection on every frame (IoU {MIN_IOU}) on "
        f"{1 - disagreeing / frames:.3f} of {frames} frames"
    )
    text += f", {1 - disagreeing / with_face:.3f} of the {with_face} with a face" if with_face else ""
    return f"{text}; {min(item.agreement for item in own):.3f} on the worst clip."


class LabelChanges:
    """Count how often the labels of the faces change, without smoothing, with it, and with hysteresis as well."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._smoothers = {
            "raw": Smoother(labels, time_constant_s=0, uncertain_below=0, hysteresis=0),
            "smoothed": Smoother(labels, uncertain_below=0, hysteresis=0),
            "shown": Smoother(labels),
        }
        self._last: dict[tuple[str, int], str] = {}
        self.counts = dict.fromkeys(self._smoothers, 0)

    @property
    def ids(self) -> int:
        """Return the number of different faces."""
        return len({id_ for _, id_ in self._last})

    def update(self, id_: int, time_s: float, probabilities: Probabilities) -> None:
        for kind, smoother in self._smoothers.items():
            _, label = smoother.update(id_, time_s, probabilities)
            self.counts[kind] += self._last.get((kind, id_), label) != label
            self._last[kind, id_] = label


def measure(
    detector: Detector, classifier: Classifier, frames: Sequence[Frame], detect_interval: int | None
) -> Steadiness:
    """Compare tracking with a detection on every frame, and count label changes; None: the detector's own interval."""
    tracker = Tracker(detector, detect_interval)
    changes = LabelChanges(classifier.card.labels)
    disagreeing = 0
    with_face = 0
    readings = 0
    for index, frame in enumerate(frames):
        tracked = tracker.find(frame.image)
        detected = detector.detect(frame.image, max(frame.image.shape[:2]) * detector.smallest_face)
        disagreeing += not same_boxes([face.box for face in tracked.values()], [face.box for face in detected])
        with_face += bool(tracked or detected)
        readings += len(tracked)
        for id_, face in tracked.items():
            output = classifier.read(frame.image, face.box, mirrored=index % 2 == 0)  # as the live loop does
            changes.update(id_, frame.time_s, output)
    frame_s = (frames[-1].time_s - frames[0].time_s) / max(1, len(frames) - 1)
    face_seconds = readings * frame_s
    rates = {kind: count / face_seconds if face_seconds else None for kind, count in changes.counts.items()}
    return Steadiness(detector.name, len(frames), with_face, disagreeing, tracker.detections, changes.ids, rates)


def same_boxes(boxes: Sequence[Box], others: Sequence[Box]) -> bool:
    """Return whether the boxes match one to one, each pair with an IoU of at least MIN_IOU."""
    unmatched = list(others)
    for box in boxes:
        best = max(unmatched, key=box.iou, default=None)
        if best is None or box.iou(best) < MIN_IOU:
            return False
        unmatched.remove(best)
    return not unmatched


if __name__ == "__main__":
    raise SystemExit(main())

"""One frame in, its readings out: detect and track, crop, classify, smooth, in this order; and the loop over frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.draw import annotate, lost
from edge.meter import Meter
from edge.sinks.base import Sink
from edge.smoother import UNCERTAIN_BELOW, Smoother
from edge.tracker import Tracker
from edge.values import Frame, Probabilities, Reading


class Pipeline:
    """Detector, classifier and what they remember between frames.

    `detect_interval`: frames between detections, the detector's own choice if None; `uncertain_below`: a probability.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        meter: Meter,
        detect_interval: int | None = None,
        uncertain_below: float = UNCERTAIN_BELOW,
    ) -> None:
        self.detector, self.classifier, self.meter = detector, classifier, meter
        self.tracker = Tracker(detector, detect_interval)
        self._smoother = Smoother(classifier.card.labels, uncertain_below=uncertain_below)

    def step(self, frame: Frame) -> list[Reading]:
        """The readings of a frame. Frames with a name are pictures, independent of each other: no memory."""
        image, alone = frame.image, frame.name is not None
        with self.meter.stage("detect"):
            faces = dict(enumerate(self.detector.detect(image), start=1)) if alone else self.tracker.find(image)
        found: list[Probabilities] = []
        if faces:  # else the stage would be timed as free
            with self.meter.stage("classify"):
                found = [self.classifier.read(image, face.box) for face in faces.values()]
        labels, smoother = self.classifier.card.labels, self._smoother
        with self.meter.stage("smooth"):
            readings = []
            for (id_, face), raw in zip(faces.items(), found, strict=True):
                values, shown = (raw, smoother.name(raw)) if alone else smoother.update(id_, frame.time_s, raw)
                readings.append(Reading(id_, face, labels, values, shown))
        self.meter.reading(frame.captured_s)
        return readings


def loop(frames: Iterable[Frame], pipeline: Pipeline, sinks: Sequence[Sink]) -> None:
    """Every frame through the pipeline and to every output, until the source ends.

    A frame that tells of a lost camera goes to the outputs alone: there is nothing on it to read, or to measure.
    """
    meter = pipeline.meter
    draws = any(sink.wants_picture for sink in sinks)
    incoming = iter(frames)
    while True:
        with meter.stage("capture"):
            frame = next(incoming, None)
        if frame is None:
            return
        if frame.error:
            _write(sinks, replace(frame, image=lost(frame.image, frame.error)) if draws else frame, [])
            continue
        readings = pipeline.step(frame)
        if draws:
            with meter.stage("draw"):
                frame = replace(frame, image=annotate(frame.image, readings, 0 if frame.name else meter.fps_now))
        with meter.stage("output"):
            _write(sinks, frame, readings)
        meter.frame()


def _write(sinks: Sequence[Sink], frame: Frame, readings: Sequence[Reading]) -> None:
    for sink in sinks:
        sink.write(frame, readings)

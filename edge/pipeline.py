"""Turn frames into readings: detect and track, crop, classify, smooth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.classifier import Classifier
from edge.detectors.base import Detector
from edge.draw import annotate, annotate_error
from edge.meter import Meter
from edge.sinks.base import Sink
from edge.smoother import UNCERTAIN_BELOW, Smoother
from edge.tracker import Tracker
from edge.values import EmotionProbabilities, Face, Frame, Probabilities, Reading


class Pipeline:
    """Hold the detector, the classifier and what they remember between frames.

    `detect_interval` is in frames; None takes the detector's own. `uncertain_below` is a probability.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        meter: Meter,
        detect_interval: int | None = None,
        uncertain_below: float = UNCERTAIN_BELOW,
    ) -> None:
        self.detector = detector
        self.classifier = classifier
        self.meter = meter
        self.tracker = Tracker(detector, detect_interval)
        self._smoother = Smoother(classifier.card.labels, uncertain_below=uncertain_below)

    def step(self, frame: Frame) -> list[Reading]:
        """Return the readings of a frame.

        Faces of a video are tracked and smoothed. Frames with a name are pictures, independent of each other.
        """
        independent = frame.name is not None
        with self.meter.stage("detect"):
            faces = self._detect(frame) if independent else self.tracker.find(frame.image)
        outputs: list[Probabilities] = []
        if faces:  # without faces the stage would be measured as free
            with self.meter.stage("classify"):
                outputs = [self.classifier.read(frame.image, face.box) for face in faces.values()]
        with self.meter.stage("smooth"):
            readings = []
            for (id_, face), output in zip(faces.items(), outputs, strict=True):
                mean, label = self._label(output) if independent else self._smoother.update(id_, frame.time_s, output)
                readings.append(Reading(id_, face, self._by_emotion(mean), label))
        self.meter.reading(frame.captured_s)
        return readings

    def _detect(self, frame: Frame) -> dict[int, Face]:
        """Return the faces of a single picture, numbered from 1, largest first."""
        return dict(enumerate(self.detector.detect(frame.image), start=1))

    def _label(self, probabilities: Probabilities) -> tuple[Probabilities, str]:
        """Label a face of a single picture: there is nothing to smooth."""
        return probabilities, self._smoother.choose_label(probabilities)

    def _by_emotion(self, probabilities: Probabilities) -> EmotionProbabilities:
        return EmotionProbabilities(zip(self.classifier.card.labels, probabilities.tolist(), strict=True))


def loop(frames: Iterable[Frame], pipeline: Pipeline, sinks: Sequence[Sink]) -> None:
    """Process every frame and write it to every sink, until the source ends.

    A frame of a lost camera goes to the sinks alone: there is nothing on it to read or to measure.
    """
    meter = pipeline.meter
    draws = any(sink.needs_picture for sink in sinks)
    iterator = iter(frames)
    while True:
        with meter.stage("capture"):
            frame = next(iterator, None)
        if frame is None:
            return
        if frame.error:
            _write(sinks, replace(frame, image=annotate_error(frame.image, frame.error)) if draws else frame, [])
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

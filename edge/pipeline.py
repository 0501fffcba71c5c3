"""One frame in, its readings out: detect, crop, classify, track, smooth, in this order; and the loop over frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from edge.classifier import Classifier
from edge.detector import Detector
from edge.draw import annotate
from edge.meter import Meter
from edge.smoother import Smoother, steady
from edge.tracker import Tracker
from edge.values import Face, Frame, Probabilities, Reading


class Sink(contextlib.AbstractContextManager["Sink"], Protocol):
    """An output: a context manager with one verb. `wants_picture`: the frame it is given has the readings drawn in."""

    wants_picture: bool

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None: ...


class Pipeline:
    """Detector, classifier and what they remember between frames.

    `every`: a full detection on each so many frames, the detector's own choice if None; `smoother`: of a video.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        meter: Meter,
        every: int | None = None,
        smoother: Smoother | None = None,
    ) -> None:
        self.detector, self.classifier, self.meter = detector, classifier, meter
        self.tracker = Tracker(every or detector.every)
        self._smoother = smoother or Smoother()

    def step(self, frame: Frame) -> list[Reading]:
        """The readings of a frame. Frames with a name are pictures, independent of each other: no memory."""
        alone = frame.name is not None
        with self.meter.stage("detect"):
            faces = self.detector.detect(frame.image) if alone else self.tracker.find(self.detector, frame.image)
        probabilities = []
        if faces:  # else the stage would be timed as free
            with self.meter.stage("classify"):
                probabilities = [self.classifier.read(frame.image, face.box) for face in faces]
        with self.meter.stage("track"):
            readings = self._unrelated(faces, probabilities) if alone else self._followed(frame, faces, probabilities)
        self.meter.reading(frame.captured_s)
        return readings

    def _unrelated(self, faces: Sequence[Face], probabilities: Sequence[Probabilities]) -> list[Reading]:
        labels = self.classifier.card.labels
        found = enumerate(zip(faces, probabilities, strict=True), start=1)
        return [Reading(i, face, labels, values, steady(values, labels)) for i, (face, values) in found]

    def _followed(self, frame: Frame, faces: Sequence[Face], probabilities: Sequence[Probabilities]) -> list[Reading]:
        labels = self.classifier.card.labels
        ids = self.tracker.update(faces)
        self._smoother.keep(self.tracker.known())
        steadied = [
            self._smoother.update(id_, frame.time_s, values, labels)
            for id_, values in zip(ids, probabilities, strict=True)
        ]
        return [Reading(i, face, labels, *steadier) for i, face, steadier in zip(ids, faces, steadied, strict=True)]


def loop(frames: Iterable[Frame], pipeline: Pipeline, sinks: Sequence[Sink]) -> None:
    """Every frame through the pipeline and to every output, until the source ends."""
    meter = pipeline.meter
    draws = any(sink.wants_picture for sink in sinks)
    incoming = iter(frames)
    while True:
        with meter.stage("capture"):
            frame = next(incoming, None)
        if frame is None:
            return
        readings = pipeline.step(frame)
        if draws:
            with meter.stage("draw"):
                frame = replace(frame, image=annotate(frame.image, readings, 0 if frame.name else meter.fps_now))
        with meter.stage("output"):
            for sink in sinks:
                sink.write(frame, readings)
        meter.frame()

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
from edge.values import Frame, Reading


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
        self.tracker = Tracker(detector, every)
        self._smoother = smoother or Smoother()

    def step(self, frame: Frame) -> list[Reading]:
        """The readings of a frame. Frames with a name are pictures, independent of each other: no memory."""
        image, alone = frame.image, frame.name is not None
        with self.meter.stage("detect"):
            faces = dict(enumerate(self.detector.detect(image), start=1)) if alone else self.tracker.find(image)
        probabilities = {}
        if faces:  # else the stage would be timed as free
            with self.meter.stage("classify"):
                probabilities = {id_: self.classifier.read(image, face.box) for id_, face in faces.items()}
        labels = self.classifier.card.labels
        with self.meter.stage("track"):
            if alone:
                shown = {id_: (values, steady(values, labels)) for id_, values in probabilities.items()}
            else:
                self._smoother.keep(self.tracker.known())
                time_s, update = frame.time_s, self._smoother.update
                shown = {id_: update(id_, time_s, values, labels) for id_, values in probabilities.items()}
            readings = [Reading(id_, face, labels, *shown[id_]) for id_, face in faces.items()]
        self.meter.reading(frame.captured_s)
        return readings


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

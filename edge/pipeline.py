"""One frame in, its readings out: detect, crop, classify, track, smooth, in this order; and the loop over frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from edge.classifier import Classifier
from edge.draw import annotate, lost
from edge.meter import Meter
from edge.smoother import Smoother
from edge.tracker import Tracker
from edge.values import Face, Frame, Image, Reading


class Detector(Protocol):
    """Finds faces in a picture."""

    name: str

    def detect(self, image: Image) -> list[Face]: ...


class Sink(contextlib.AbstractContextManager["Sink"], Protocol):
    """An output: a context manager with one verb. `wants_picture`: the frame it is given has the readings drawn in."""

    wants_picture: bool
    name: str  # where it goes, for people

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None: ...


class Pipeline:
    """Detector, classifier and what they remember between frames."""

    def __init__(self, detector: Detector, classifier: Classifier, meter: Meter) -> None:
        self.detector, self.classifier, self.meter = detector, classifier, meter
        self._tracker, self._smoother = Tracker(), Smoother()

    def step(self, frame: Frame) -> list[Reading]:
        """The readings of a frame. Frames with a name are pictures, independent of each other: no memory."""
        with self.meter.stage("detect"):
            faces = self.detector.detect(frame.image)
        probabilities = []
        if faces:  # else the stage would be timed as free
            with self.meter.stage("classify"):
                probabilities = [self.classifier.read(frame.image, face.box) for face in faces]
        with self.meter.stage("track"):
            if frame.name is None:
                ids = self._tracker.update(faces)
                self._smoother.keep(self._tracker.known())
                probabilities = [
                    self._smoother.update(id_, frame.time_s, values)
                    for id_, values in zip(ids, probabilities, strict=True)
                ]
            else:
                ids = list(range(1, len(faces) + 1))
        labels = self.classifier.card.labels
        readings = [Reading(i, f, labels, p) for i, f, p in zip(ids, faces, probabilities, strict=True)]
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
        if frame.trouble:
            _write(sinks, replace(frame, image=lost(frame.image, frame.trouble)) if draws else frame, [])
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

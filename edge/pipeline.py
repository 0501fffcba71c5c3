"""Turn frames into readings: detect and track, crop, classify, smooth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from edge.blur import FaceHider
from edge.calibrator import Calibrator, open_calibrator
from edge.classifier import Classifier, ClassifierPool
from edge.detector import open_detector, set_cores
from edge.detectors.base import Detector
from edge.draw import annotate, annotate_error
from edge.errors import EmotionError, SourceError
from edge.host import cores
from edge.meter import Meter
from edge.opencv import cv2, translated
from edge.options import RunOptions
from edge.sinks.base import Sink
from edge.smoother import UNCERTAIN_BELOW, Smoother
from edge.tracker import Tracker
from edge.values import EmotionProbabilities, Face, Frame, Image, Probabilities, Reading

MAX_WORKERS = 4  # cores that share the faces of a frame by default


class Pipeline:
    """Detect, track, classify, correct and smooth the faces of frames.

    `detect_interval` is in frames, `smallest` is the width in pixels of the smallest face to look for; None leaves them
    to the detector. `uncertain_below` is a probability. `calibrator` corrects readings by a person's neutral face.
    `workers` is the number of cores that share the faces of a frame.
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier,
        meter: Meter,
        detect_interval: int | None = None,
        uncertain_below: float = UNCERTAIN_BELOW,
        smallest: float | None = None,
        calibrator: Calibrator | None = None,
        workers: int = 1,
    ) -> None:
        self.detector = detector
        self.classifier = classifier
        self.meter = meter
        self._pool = ClassifierPool(classifier, workers)
        self.tracker = Tracker(detector, detect_interval, smallest)
        self.calibrator = calibrator or Calibrator(classifier.card.labels, model=classifier.card.identity)
        self._smallest = smallest
        self._mirrored = False  # whether this frame's faces are read mirrored: every other frame's are
        self._smoother = Smoother(classifier.card.labels, uncertain_below=uncertain_below)

    def step(self, frame: Frame) -> list[Reading]:
        """Return the readings of a frame.

        Faces of a video are tracked and smoothed. Frames with a name are pictures, independent of each other. Raises
        SourceError if OpenCV cannot work on a picture of that size.
        """
        read = self._read_video_frame if frame.name is None else self._read_picture
        try:
            readings = read(frame)
        except (cv2.error, MemoryError) as error:
            problem = f"cannot find faces in {_described(frame)} with {self.detector.name}"
            raise translated(error, SourceError, problem) from error
        self.meter.reading(frame.captured_s)
        return readings

    def _read_picture(self, frame: Frame) -> list[Reading]:
        """Return the readings of an independent picture, without tracking and smoothing."""
        with self.meter.stage("detect"):
            faces = self.detector.detect(frame.image, self._smallest)
        outputs = self._classify(faces, lambda classifier, face: classifier.read_both_ways(frame.image, face.box))
        profile = self.calibrator.default
        readings = []
        with self.meter.stage("smooth"):
            for number, (face, output) in enumerate(zip(faces, outputs, strict=True), start=1):
                values = output if profile is None else profile.apply(output)
                label = self._smoother.choose_label(values)
                readings.append(Reading(number, face, self._by_emotion(values), label, profile is not None))
        return readings

    def _read_video_frame(self, frame: Frame) -> list[Reading]:
        """Return the readings of a video's next frame: tracked, calibrated, smoothed.

        Readings are smoothed over several frames, so a face and its mirror image take turns: two views for the price of
        one.
        """
        with self.meter.stage("detect"):
            faces = self.tracker.find(frame.image)
        self._mirrored = not self._mirrored
        outputs = self._classify(
            list(faces.values()), lambda classifier, face: classifier.read(frame.image, face.box, self._mirrored)
        )
        readings = []
        with self.meter.stage("smooth"):
            self.calibrator.begin_frame(frame.time_s)
            for (id_, face), output in zip(faces.items(), outputs, strict=True):
                values, calibrated = self.calibrator.correct(id_, output)
                mean, label = self._smoother.update(id_, frame.time_s, values)
                readings.append(Reading(id_, face, self._by_emotion(mean), label, calibrated))
        return readings

    def _classify(
        self, faces: Sequence[Face], classify: Callable[[Classifier, Face], Probabilities]
    ) -> list[Probabilities]:
        if not faces:  # the stage would be measured as free
            return []
        with self.meter.stage("classify"):
            return self._pool.map(classify, faces)

    def _by_emotion(self, probabilities: Probabilities) -> EmotionProbabilities:
        return EmotionProbabilities(zip(self.classifier.card.labels, probabilities.tolist(), strict=True))


def _described(frame: Frame) -> str:
    height, width = frame.image.shape[:2]
    return f"{frame.name or f'frame {frame.index}'} of {width} x {height}"


def open_pipeline(options: RunOptions, classifier: Classifier) -> Pipeline:
    """Open what the options name: detector, calibrator and pipeline."""
    detector = open_detector(options.detector, options.detector_model)
    set_cores(detector, options.threads)
    pipeline = Pipeline(
        detector,
        classifier,
        Meter(),
        options.detect_interval or (1 if options.blur else None),
        options.uncertain_below,
        options.smallest,
        open_calibrator(options.neutral, detector, classifier),
        options.threads or min(cores(), MAX_WORKERS),
    )
    pipeline.tracker.thorough = options.blur  # a face is to be hidden from its first frame on, whoever else is tracked
    return pipeline


def loop(
    frames: Iterable[Frame],
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    hider: FaceHider | None = None,
    skip: Callable[[EmotionError], None] | None = None,
) -> None:
    """Process every frame and write it to every sink, until the source ends.

    A frame of a lost camera goes to the sinks without being read or measured. A `hider` hides the faces of the pictures
    that the sinks get. `skip` gets the error of a picture that cannot be read, and the others go on; without it, the
    error is raised.
    """
    meter = pipeline.meter
    draws = any(sink.needs_picture for sink in sinks)
    iterator = iter(frames)
    while True:
        with meter.stage("capture") as stage:
            frame = next(iterator, None)
            if frame is None or frame.error:
                stage.void()  # a wait for a lost camera, or for the end
        if frame is None:
            return
        if frame.error:
            lost = hider.hide(frame, []) if hider else frame
            _write(sinks, replace(lost, image=annotate_error(lost.image, frame.error)) if draws else lost, [])
            continue
        try:
            readings = pipeline.step(frame)
        except SourceError as error:
            if skip is None or frame.name is None:
                raise
            skip(error)
            continue
        frame = hider.hide(frame, readings) if hider else frame
        if draws:
            with meter.stage("draw"):
                frame = replace(frame, image=_annotated(frame, readings, pipeline))
        with meter.stage("output"):
            _write(sinks, frame, readings)
        meter.frame()


def _annotated(frame: Frame, readings: Sequence[Reading], pipeline: Pipeline) -> Image:
    """Return the frame's picture with its readings, the rate and a running countdown drawn in."""
    fps = 0.0 if frame.name else pipeline.meter.fps_now
    remaining_s = pipeline.calibrator.remaining_s
    notice = "" if remaining_s is None else f"hold a neutral face: {math.ceil(remaining_s)}"
    return annotate(frame.image, readings, fps, notice)


def _write(sinks: Sequence[Sink], frame: Frame, readings: Sequence[Reading]) -> None:
    for sink in sinks:
        sink.write(frame, readings)

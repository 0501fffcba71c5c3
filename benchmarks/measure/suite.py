"""Open everything that is to be measured, and measure it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from benchmarks.measure.accuracy import Faces, load_faces, measure_accuracy
from benchmarks.measure.clip import Clip, read_clip
from benchmarks.measure.detectors import working_detectors
from benchmarks.measure.latency import input_files, measure_latency, measure_loading
from benchmarks.measure.models import Candidate, choose, open_models
from benchmarks.measure.peer import check_peer
from benchmarks.measure.pipeline import Case, measure_cases
from benchmarks.measure.start_up import measure_start_up
from benchmarks.measure.sustained import POINTS, measure_sustained
from benchmarks.options import Options
from benchmarks.results import CaseInfo, Latency, ModelResult, QuantizationChange, Results, Scores
from edge import host
from edge.backend import BACKENDS, SHIPPED, open_backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.detectors.base import Detector
from edge.errors import MissingExtra, ModelError
from edge.preprocess import crop
from edge.sources.demo import demo_images
from edge.values import Image
from train.data import DATA
from train.predict import check_labels
from train.progress import Advance
from train.runs import newest_run

StartStage: TypeAlias = Callable[[str, int], Advance]  # see train.progress

LATENCY_FACES = 64  # different faces that inference is timed on
SCENES = (1, 4)  # faces in a frame


@dataclass(frozen=True)
class Inputs:
    candidates: Sequence[Candidate]
    detectors: Sequence[Detector]
    clip: Clip
    faces: Faces | None
    peer: str | None  # a Python
    left_out: Sequence[str] = ()  # what cannot be measured here, and why


def open_inputs(options: Options) -> Inputs:
    """Open models, detectors, clip and data set, so that whatever is wrong shows before the long work.

    Raises EmotionError where one of them cannot be used.
    """
    peer = options.peer or (sys.executable if importlib.util.find_spec("fer") else None)
    if peer:
        check_peer(peer)
    data = options.data or (DATA if DATA.exists() else None)
    files, left_out = (list(options.models), []) if options.models else _default_models()
    candidates = open_models(files)
    faces = load_faces(data) if data else None
    if faces:
        for candidate in candidates:
            check_labels(candidate.backend.card)
    clip = read_clip(options.source, options.frames)
    if options.quick and not (options.detectors or options.detector_model):
        detectors = [open_detector()]
    else:
        detectors, others = working_detectors(options.detector_model, options.detectors)
        left_out += others
    return Inputs(candidates, detectors, clip, faces, peer, left_out)


def _default_models() -> tuple[list[Path], list[str]]:
    """Return the files of the newest run and the shipped one, and why each other file of the run is left out."""
    run = newest_run()
    exported = sorted(file for file in run.iterdir() if file.suffix in BACKENDS) if run else []
    files = []
    left_out = []
    for file in exported:
        try:
            open_backend(file, 1)
            files.append(file)
        except (MissingExtra, ModelError) as error:
            left_out.append(f"model {file.name}: {error}")
    return [*files, SHIPPED], left_out


def measure(options: Options, inputs: Inputs, start_stage: StartStage) -> Results:
    """Measure accuracy, latency, start-up, the pipeline and, if asked for, sustained load, in this order."""
    machine = host.describe()
    models, peaks = _measure_models(options, inputs, start_stage)
    deploy = choose(models)
    start = measure_start_up(inputs.detectors[0].name)
    cases = list_cases(options, inputs, deploy)
    advance = start_stage("pipeline", len(cases))
    pipeline = tuple(measure_cases(cases, inputs.clip, options.passes, inputs.peer, advance))
    sustained = None
    if options.sustained:
        case = _common_case(cases, options, models[deploy].name)
        sustained = measure_sustained(case, inputs.clip, options.sustained, start_stage("sustained load", POINTS))
    return Results(
        command=options.command,
        host=machine,
        models=models,
        dataset=inputs.faces.describe() if inputs.faces else None,
        peak_macs_per_s=peaks,
        deploy=deploy,
        clip=inputs.clip.describe(),
        start=start,
        pipeline=pipeline,
        sustained=sustained,
        host_after=host.sensors(),
        quick=options.quick,
        left_out=tuple(inputs.left_out),
    )


def _measure_models(
    options: Options, inputs: Inputs, start_stage: StartStage
) -> tuple[tuple[ModelResult, ...], dict[str, float]]:
    """Return the result of each model, and the machine's peak in multiply-adds per second by number of threads."""
    candidates = inputs.candidates
    scores: list[tuple[Scores | None, QuantizationChange | None]] = [(None, None) for _ in candidates]
    if inputs.faces:
        advance = start_stage("accuracy", len(inputs.faces.evaluation) * len(candidates))
        scores = [*measure_accuracy(candidates, inputs.faces, advance)]
    threads = sorted({1, *(options.threads or (min(2, host.cores()), host.cores()))})
    latencies: list[dict[str, Latency]] = [{} for _ in candidates]
    peaks = {}
    with input_files(candidates, _latency_faces(inputs)) as files:
        loadings = [measure_loading(candidate, file) for candidate, file in zip(candidates, files, strict=True)]
        advance = start_stage("latency", options.rounds * len(threads))
        for count in threads:
            columns, peaks[str(count)] = measure_latency(candidates, files, options.rounds, count, advance)
            for latency, column in zip(latencies, columns, strict=True):
                latency[str(count)] = column
    models = tuple(
        ModelResult(candidate.info, *scores[i], loadings[i], latencies[i]) for i, candidate in enumerate(candidates)
    )
    return models, peaks


def _latency_faces(inputs: Inputs) -> list[Image]:
    """Return faces of the data set or, without one, those of the demo."""
    if inputs.faces:
        return list(inputs.faces.evaluation.images[:LATENCY_FACES])
    detector = inputs.detectors[0]
    return [crop(image, face.box) for image in demo_images(LATENCY_FACES) for face in detector.detect(image)[:1]]


def list_cases(options: Options, inputs: Inputs, deploy: int) -> list[Case]:
    """Return every configuration of the model to deploy; of the other models, those of one resolution and one face."""
    common = (options.common_resolution, 1)
    return [
        Case(CaseInfo(candidate.info.name, detector.name, resolution, scene), Classifier(candidate.backend), detector)
        for resolution in options.resolutions
        for scene in SCENES
        for i, candidate in enumerate(inputs.candidates)
        for detector in inputs.detectors
        if i == deploy or (resolution, scene) == common
    ]


def _common_case(cases: Sequence[Case], options: Options, model: str) -> Case:
    """Return the model's case that is most comparable: common resolution, one face, the first detector."""
    key = (model, options.common_resolution, 1)
    return next(case for case in cases if (case.info.model, case.info.resolution, case.info.scene) == key)

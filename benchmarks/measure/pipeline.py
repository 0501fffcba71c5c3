"""Measure the pipeline: throughput, live latency, and both by detector, model, resolution and number of faces.

Throughput: frames as fast as the pipeline takes them, by turns with the library calls that they cost (the lower bound)
and with the peer `fer`. Live: the same frames as from a camera, where the newest frame wins.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from benchmarks.measure import estimates
from benchmarks.measure.clip import Clip, cut_frames
from benchmarks.measure.lower_bound import TimePeer, TurnTimes, time_turns
from benchmarks.measure.peer import open_peer
from benchmarks.results import PIPELINE_STAGES, Ages, CaseInfo, Estimate, LiveResult, PipelineResult
from edge.classifier import Classifier
from edge.detector import set_cores
from edge.detectors.base import Detector
from edge.meter import Meter
from edge.pipeline import Pipeline, loop
from edge.sinks.base import Sink
from edge.sources.live import Live
from edge.sources.playback import Playback
from edge.values import Frame, Reading
from train.progress import Advance


@dataclass(frozen=True)
class Case:
    """Hold a configuration of the pipeline to measure."""

    info: CaseInfo
    classifier: Classifier
    detector: Detector

    def make_pipeline(self) -> Pipeline:
        """Return a pipeline that remembers no frames, with OpenCV on as many cores as help the detector."""
        set_cores(self.detector)
        return Pipeline(self.detector, self.classifier, Meter())


def measure_cases(
    cases: Sequence[Case], clip: Clip, passes: int, peer: str | None, advance: Advance
) -> Iterator[PipelineResult]:
    """Yield the result of each case; cases of the same resolution and scene must be adjacent.

    `peer` is a Python that has fer. `advance` is called after each case.
    """
    for (resolution, scene), group in groupby(cases, lambda case: (case.info.resolution, case.info.scene)):
        frames = cut_frames(clip, resolution, scene)
        with contextlib.ExitStack() as stack:
            images = [frame.image for frame in frames]
            time_peer = stack.enter_context(open_peer(peer, images)).time if peer else None
            for case in group:
                yield measure_case(case, Clip(clip.name, frames, clip.fps), passes, time_peer)
                advance()


def measure_case(case: Case, clip: Clip, passes: int, time_peer: TimePeer | None) -> PipelineResult:
    pipelines: list[Pipeline] = []

    def make_pipeline() -> Pipeline:
        pipelines.append(case.make_pipeline())
        return pipelines[-1]

    times = time_turns(make_pipeline, clip.frames, passes, time_peer)
    count = len(clip.frames)
    frames_per_pass = np.full(passes, float(count))
    pass_ms = times.pipeline.sum(axis=1)
    mean_ms = estimates.ratio(pass_ms, frames_per_pass)
    return PipelineResult(
        case=case.info,
        frames=count,
        passes=passes,
        ms=mean_ms.value,
        fps=_per_second(mean_ms),
        stages_ms=_stages_ms(pipelines[1:], count),  # the first one was recorded, not timed
        limit_ms=float(times.library_calls.sum() / frames_per_pass.sum()),
        limit_ratio=estimates.ratio(pass_ms, times.library_calls.sum(axis=1)),
        peer_ms=None if times.peer is None else float(times.peer.sum() / count),
        times_as_fast_as_peer=_against_peer(times),
        live=measure_live(case, clip),
    )


def _per_second(ms: Estimate) -> Estimate:
    interval = (1000 / ms.ci95[1], 1000 / ms.ci95[0]) if ms.ci95 else None
    return Estimate(1000 / ms.value, interval)


def _stages_ms(pipelines: Sequence[Pipeline], frames: int) -> dict[str, float]:
    """Return the mean time of each stage per frame."""
    totals = [pipeline.meter.spent_ms() for pipeline in pipelines]
    return {
        stage: sum(total.get(stage, 0.0) for total in totals) / (frames * len(pipelines)) for stage in PIPELINE_STAGES
    }


def _against_peer(times: TurnTimes) -> Estimate | None:
    return None if times.peer is None else estimates.ratio(times.peer, times.pipeline[0])


class CountingSink(Sink):
    """Count frames and faces."""

    name = "count"

    def __init__(self) -> None:
        self.frames = 0
        self.faces = 0

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        self.frames += 1
        self.faces += len(readings)


def measure_live(case: Case, clip: Clip) -> LiveResult:
    """Play the clip as a camera would, at its own speed."""
    pipeline = case.make_pipeline()
    sink = CountingSink()
    start = time.monotonic()
    cpu_start = time.process_time()
    with Live(clip.name, lambda: Playback(clip), finite=True) as source:
        loop(source, pipeline, [sink])
    cpu_seconds = time.process_time() - cpu_start
    # The last frame, too, lasts until a camera would give the next: n frames at full rate take n intervals, not n - 1.
    seconds = max(time.monotonic() - start, len(clip.frames) / clip.fps)
    ages = np.array([pipeline.meter.ages_ms])
    median = estimates.percentile(ages, 50)
    p95 = estimates.percentile(ages, 95)
    return LiveResult(
        camera_fps=clip.fps,
        fps=sink.frames / seconds,
        age_ms=Ages(median.value if median else None, p95.value if p95 else None),
        frames=sink.frames,
        faces_a_frame=sink.faces / max(1, sink.frames),
        dropped=source.dropped,
        cores_used=cpu_seconds / seconds,
    )

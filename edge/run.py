"""Read emotions from faces, live or recorded.

edge-emotion                          the first camera, in a window
edge-emotion demo                     no camera needed
edge-emotion 0 --resolution 1280x720 --fps 30 --fourcc MJPG
edge-emotion clip.mp4 --record out.mp4 --events out.jsonl --events out.csv
edge-emotion 'photos/*.jpg' --no-display --events -
edge-emotion --version

`python -m edge` and, in a checkout, `python edge/run.py` are the same command.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if not __package__:  # `python edge/run.py` puts edge/ on the path in place of the project
        sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 (pathlib is slow)
    from edge.start import command

    command()

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.auto_model import OpenModel, open_model
from edge.blur import FaceHider
from edge.classifier import Classifier
from edge.conflicts import check_folder, check_outputs
from edge.errors import UsageError, exit_status
from edge.files import write_json
from edge.host import cores, resident_mb
from edge.options import RunOptions, parse_args
from edge.pipeline import Pipeline, loop, open_pipeline
from edge.reader import EmotionReader
from edge.service.sd_notify import is_service
from edge.sink import Output, is_watched, open_sinks, poll
from edge.sinks.base import Sink, SinkContext
from edge.source import open_source, paced
from edge.sources.ahead import ReadAhead
from edge.sources.base import Source
from edge.stopping import stop_on_signals
from edge.untrusted import utf8
from edge.values import Frame

if TYPE_CHECKING:
    from edge.cluster.client import Plan


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_args(__doc__, argv)
    return exit_status(lambda: run(options))


def run(options: RunOptions) -> int:
    """Open everything, loop, close everything, report the speed; return 2 if pictures were skipped, else 0."""
    check_outputs(options)
    model = open_model(options.model, options.threads or 1)
    if model.reason:
        _report(options, model.reason)
    pipeline = open_pipeline(options, Classifier(model.backend))
    outputs, message = choose_outputs(options)
    watched = is_watched(outputs)
    if options.save_neutral and options.neutral is None and all(output.name != "window" for output in outputs):
        raise UsageError("expected --neutral with --save-neutral where no window has a key n; add --neutral 3")
    with (
        contextlib.closing(pipeline.detector),
        open_source(options.source, watched, options.realtime, options.camera, options.wait_s) as source,
        stop_on_signals(source.stop),
    ):
        if source.independent and pipeline.calibrator.needs_video:
            raise UsageError(f"expected a video or camera for --neutral {options.neutral}, found pictures; give a file")
        for output in outputs:
            if output.name == "record" and source.independent:
                check_folder(Path(output.target), source)
        if source.notice:
            print(source.notice, file=sys.stderr)
        if message:
            _report(options, message)
        if pipeline.calibrator.is_counting:
            _report(options, f"hold a neutral face for {options.neutral} seconds")
        context = _describe_run(options, model, source, pipeline)
        plan = _plan_workers(options, source, model.path, pipeline)
        sinks = open_sinks(outputs, replace(context, kept_bytes=plan.kept_bytes) if plan else context)
        source.idle = lambda: poll(sinks)
        _report(options, f"face detector: {pipeline.detector.name}, model: {model.path.name}")
        try:
            with contextlib.ExitStack() as stack:
                for sink in sinks:
                    stack.enter_context(sink)
                if plan:
                    plan.read(options, model.path, sinks, pipeline.meter)
                else:
                    _forget_workers(outputs)
                    frames = _frames(options, source, watched, stack)
                    loop(frames, pipeline, sinks, FaceHider() if options.blur else None, source.skip)
        finally:  # also when an output fails, so that the statistics of the frames before are not lost
            if pipeline.calibrator.is_counting:
                _report(options, "the video ended before the countdown: no reading was corrected")
            _save_neutral(options, pipeline)
            if pipeline.meter.frames:
                _finish(options, statistics(options, model, source, pipeline, sinks))
    return 2 if source.skipped else 0


def _describe_run(options: RunOptions, model: OpenModel, source: Source, pipeline: Pipeline) -> SinkContext:
    return SinkContext(
        labels=model.backend.card.labels,
        fps=source.fps,
        live=source.live,
        independent=source.independent,
        stop=source.stop,
        calibrate=pipeline.calibrator.start,
        open_reader=lambda: (
            EmotionReader(
                model.path,
                options.detector,
                options.detector_model,
                uncertain_below=options.uncertain_below,
                smallest=options.smallest,
            ).read
        ),
        hides_faces=options.blur,
        skip=source.skip,
        thinning=options.thinning,
        page=next((output.target for output in options.outputs if output.name == "serve"), None),
    )


def choose_outputs(options: RunOptions) -> tuple[list[Output], str | None]:
    """Add a window to the outputs or, without a display, the console; return them and a message that says why."""
    outputs = [*options.outputs, *([Output("systemd")] if is_service() else [])]
    if options.workers:
        return outputs or [Output("console")], None
    no_window = _window_unavailable() if options.display else "--no-display"
    if no_window is None:
        return [Output("window"), *outputs], None
    if options.writes_to_stdout or (is_service() and options.outputs):  # the journal would keep every reading
        return outputs, None
    has_pictures = any(output.name in ("record", "serve") for output in outputs)
    if options.source == "demo" and options.display and not has_pictures:
        from edge.sinks.encoders import best_suffix

        outputs.append(Output("record", f"demo{best_suffix()}"))  # something to look at
    recordings = [f", recording to {output.target}" for output in outputs if output.name == "record"]
    return [Output("console"), *outputs], f"{no_window}: printing readings{''.join(recordings)}"


def _window_unavailable() -> str | None:
    from edge.sinks.window import window_unavailable  # here and above: few runs need it

    return window_unavailable()


def _plan_workers(options: RunOptions, source: Source, model: Path, pipeline: Pipeline) -> Plan | None:
    """Return what workers have to read; None without --workers."""
    if options.workers is None:
        return None
    from edge.cluster.client import make_plan  # here: few runs need it

    return make_plan(options, source, model, pipeline)


def _forget_workers(outputs: Sequence[Output]) -> None:
    """Delete what a run with workers noted beside events that this run replaces."""
    if any(output.name == "events" for output in outputs):
        from edge.cluster.resume import delete_notes  # here: few runs need it

        delete_notes(outputs)


def _frames(options: RunOptions, source: Source, watched: bool, stack: contextlib.ExitStack) -> Iterable[Frame]:
    """Return the frames to read: those of a recording are read ahead while `stack` is open, and paced for a viewer."""
    frames: Iterable[Frame] = _first(options.max_frames, source)
    if not source.live and cores() > 1:
        frames = stack.enter_context(ReadAhead(frames, source.stop))
    return paced(source, frames) if watched else frames


def _first(count: int | None, frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield frames until there were `count` pictures; frames of a lost camera do not count."""
    pictures = 0
    for frame in frames:
        yield frame
        pictures += frame.error is None
        if pictures == count:
            return


def statistics(
    options: RunOptions, model: OpenModel, source: Source, pipeline: Pipeline, sinks: Sequence[Sink]
) -> dict[str, Any]:
    """Return the values for --stats: frames, times in milliseconds, lost frames, model and detector."""
    stats = pipeline.meter.stats()
    return {
        **stats,
        **source.stats(),
        "unwritten": {sink.name: sink.dropped for sink in sinks if sink.dropped},
        **({"detections": pipeline.tracker.detections} if "detect" in stats["stages_ms"] else {}),
        **({"workers": options.workers} if options.workers else {}),
        "rss_mb": resident_mb(),
        "model": utf8(str(model.path)),
        "detector": pipeline.detector.name,
        "backend": model.backend.name,
        "threads": options.threads or 1,
    }


def _finish(options: RunOptions, stats: dict[str, Any]) -> None:
    """Write the statistics to the file of --stats and report them in one line."""
    if options.stats is not None:
        write_json(options.stats, stats)
    outage = stats.get("lost", {"times": 0})
    notes = [f"{stats['dropped']} dropped"]
    notes += [f"{stats['skipped']} skipped"] if stats["skipped"] else []
    notes += [f"{count} not written to {name}" for name, count in stats["unwritten"].items()]
    notes += [f"camera lost {outage['times']} times for {outage['seconds']} s"] if outage["times"] else []
    notes += [f"{stats['detector']} ran on {stats['detections']}"] if stats.get("detections") else []
    stages = "  ".join(f"{name} {times['p50']}" for name, times in stats["stages_ms"].items())
    workers = stats.get("workers")
    frames, unit = ("pictures", f"a second, workers: {workers}") if workers else ("frames", "FPS")
    _report(
        options,
        f"{stats['frames']} {frames} in {stats['seconds']:.1f} s: {stats['fps']:.1f} {unit}, {', '.join(notes)}"
        f"  median ms: {stages}",
    )


def _save_neutral(options: RunOptions, pipeline: Pipeline) -> None:
    """Write the neutral profile to the file of --save-neutral, if there is a profile."""
    if options.save_neutral is None:
        return
    profile = pipeline.calibrator.profile()
    if profile is None:
        _report(options, f"no neutral profile to save to {options.save_neutral}: no face was seen for long enough")
    else:
        replace(profile, name=options.save_neutral.stem).save(options.save_neutral)


def _report(options: RunOptions, line: str) -> None:
    """Print a line for people, not among the events on standard output."""
    print(line, file=sys.stderr if options.writes_to_stdout else sys.stdout, flush=True)

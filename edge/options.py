"""Parse the command line of `edge-emotion run`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.arguments import ArgumentParser, fourcc, fraction, positive, resolution, whole, workers
from edge.backend import MAX_THREADS, NAMED, SHIPPED, model_path
from edge.detector import DETECTORS
from edge.sink import SINKS, Output
from edge.sinks.outlet import STANDARD_OUTPUTS
from edge.sinks.thinning import Thinning
from edge.smoother import UNCERTAIN_BELOW
from edge.sources.base import CameraSettings

DEFAULT_SOURCE = "0"
ALTERNATIVES = {  # options that people try -> the one that they mean
    "--cam": "--source",
    "--camera": "--source",
    "--device": "--source",
    "--file": "--source",
    "--image": "--source",
    "--input": "--source",
    "--rtsp": "--source",
    "--stream": "--source",
    "--url": "--source",
    "--video": "--source",
    "--webcam": "--source",
    "--output": "--record",
    "--save": "--record",
}


class ListCameras(argparse.Action):
    """List the cameras of this machine and end the program."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from edge.sources.camera_list import list_cameras, table  # here: few command lines need it

        print("\n".join(table(list_cameras())))
        parser.exit()


@dataclass(frozen=True)
class RunOptions:
    """Hold the options of a run; None leaves the choice to the part that it is for."""

    source: str
    camera: CameraSettings
    realtime: bool
    model: Path
    detector: str
    detector_model: Path | None
    detect_interval: int | None  # frames
    smallest: int | None  # pixels: width of the smallest face to look for
    neutral: str | None  # seconds, a picture, a saved profile, or auto
    save_neutral: Path | None
    uncertain_below: float  # probability
    threads: int | None
    display: bool
    outputs: tuple[Output, ...]
    thinning: Thinning  # of the events
    stats: Path | None
    blur: bool
    max_frames: int | None
    wait_s: float | None  # for a camera that is absent at the start; None: it is an error
    workers: int | str | None = None  # processes that read pictures, or the address of a Dask scheduler

    @property
    def writes_to_stdout(self) -> bool:
        """Return whether standard output carries data, so that messages must go elsewhere."""
        return any(output.target in STANDARD_OUTPUTS for output in self.outputs)


def parse_args(description: str | None, argv: Sequence[str] | None = None) -> RunOptions:
    """Parse the options, each checked by itself; a wrong one ends the program with one line and status 2."""
    parser = _parser(description)
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(_unrecognized(unknown[0], args.positional_source))
    if args.positional_source is not None and args.source is not None:
        parser.error(f"expected one source, found {args.positional_source} and --source {args.source}")
    if "" in (args.positional_source, args.source):  # a variable that is not set: no reason to turn on a camera
        parser.error("expected a source, found an empty text; leave it out for the first camera")
    if (args.every or args.on_change) and not args.events:
        parser.error("expected --events with --every and --on-change, found none; add --events FILE")
    return RunOptions(
        source=args.source or args.positional_source or DEFAULT_SOURCE,
        camera=CameraSettings(args.resolution, args.fps, args.fourcc),
        realtime=args.realtime,
        model=args.model,
        detector=args.detector,
        detector_model=args.detector_model,
        detect_interval=args.detect_every,
        smallest=args.smallest,
        neutral=args.neutral,
        save_neutral=args.save_neutral,
        uncertain_below=args.uncertain_below,
        threads=args.threads,
        display=not args.no_display,
        outputs=tuple(_outputs(args)),
        thinning=Thinning(args.every, args.on_change),
        stats=args.stats,
        blur=args.blur,
        max_frames=args.max_frames,
        wait_s=args.wait,
        workers=args.workers,
    )


def _parser(description: str | None) -> ArgumentParser:
    parser = ArgumentParser(_program(), description)
    _add_inputs(parser)
    _add_models(parser)
    _add_outputs(parser)
    return parser


def _program() -> str:
    """Return the command as the user typed it."""
    return {"run.py": "python edge/run.py", "__main__.py": "python -m edge"}.get(Path(sys.argv[0]).name, "edge-emotion")


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    sources = "camera number, /dev/videoN, picamera, URL, video, picture, folder or 'glob' of pictures, or demo"
    parser.add_argument("positional_source", nargs="?", metavar="SOURCE", help=f"{sources} (default: {DEFAULT_SOURCE})")
    parser.add_argument("--source", help="the same as an option")
    parser.add_argument("--resolution", type=resolution, metavar="WxH", help="requested of the camera, as 1280x720")
    parser.add_argument("--fps", type=positive, help="requested of the camera")
    parser.add_argument("--fourcc", type=fourcc, help="pixel format requested of the camera; MJPG is often the fastest")
    parser.add_argument("--realtime", action="store_true", help="play a video like a camera, dropping frames")
    parser.add_argument("--list-cameras", action=ListCameras, nargs=0, help="list this machine's cameras and exit")
    parser.add_argument(
        "--wait",
        type=_wait,
        nargs="?",
        const=float("inf"),
        metavar="SECONDS",
        help="wait for a camera that is absent at the start: these seconds, or without end",
    )
    parser.add_argument(
        "--workers",
        type=workers,
        metavar="N|tcp://HOST:PORT",
        help="read pictures on N processes, or on a Dask cluster; what the file of --events has is not read again",
    )
    parser.add_argument("--max-frames", type=whole(1), metavar="N", help="stop after this many frames")


def _wait(text: str) -> float:
    """Parse the seconds of --wait; what follows it without seconds is probably the source."""
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; without seconds, give the source first: {text} --wait") from error


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=model_path,
        default=SHIPPED,
        help=f".tflite or .onnx file, or a shipped one by name: {', '.join(NAMED)}; auto or a folder: the fastest one "
        "nearly as accurate as the best",
    )
    parser.add_argument(
        "--detector", default="auto", choices=["auto", *DETECTORS], help="auto: the best one that runs here"
    )
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="model file of the detector")
    parser.add_argument(
        "--detect-every", type=whole(1), metavar="N", help="frames from one detection to the next; tracked in between"
    )
    parser.add_argument(
        "--smallest", type=whole(8), metavar="PIXELS", help="width of the smallest face to look for; smaller is slower"
    )
    parser.add_argument(
        "--neutral",
        metavar="SECONDS|FILE|auto",
        help="correct readings by the person's own neutral face: shown for these seconds at the start (in the window, n"
        " repeats it), in a picture or in a saved profile; auto: averaged over minutes",
    )
    parser.add_argument("--save-neutral", type=Path, metavar="FILE.json", help="save the neutral profile at the end")
    parser.add_argument(
        "--threads",
        type=whole(1, MAX_THREADS),
        metavar="N",
        help="cores to use; by default up to 4, to classify several faces and for haar, else 1",
    )
    parser.add_argument(
        "--uncertain-below",
        type=fraction,
        default=UNCERTAIN_BELOW,
        metavar="P",
        help="probability below which a face is labelled uncertain",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the options of the outputs. Each but --no-display, --stats and --blur is named like its row of SINKS."""
    parser.add_argument("--no-display", action="store_true", help="show no window")
    parser.add_argument("--record", metavar="OUT", help="annotated video, or a folder if the source is pictures")
    parser.add_argument(
        "--events",
        metavar="FILE|-",
        action="append",
        help="JSON lines, one a frame; CSV, one row a face, if the name ends in .csv; may be repeated",
    )
    parser.add_argument(
        "--serve", metavar="[HOST:]PORT", help="live page for browsers; beyond this machine with a token: 0.0.0.0:8000"
    )
    parser.add_argument(
        "--mqtt", metavar="URL", help="report to a broker, and to Home Assistant: mqtt[s]://[user@]host[:port][/topic]"
    )
    parser.add_argument("--blur", action="store_true", help="hide the faces in every picture that is shown or written")
    parser.add_argument("--report", metavar="FILE", help="at the end, a page (.html) or table (.csv) of what was seen")
    parser.add_argument("--report-pictures", metavar="FILE", help="the same with pictures of the strongest moments")
    parser.add_argument("--every", type=positive, metavar="SECONDS", help="events: one line each SECONDS")
    parser.add_argument("--on-change", action="store_true", help="events: a line when a face or its emotion changes")
    parser.add_argument("--stats", type=Path, metavar="FILE", help="FPS and stage times as JSON, at the end")


def _outputs(args: argparse.Namespace) -> list[Output]:
    """Return the outputs that the options name, in the order of SINKS."""
    outputs = []
    for name in SINKS:
        value = getattr(args, name.replace("-", "_"), None)
        targets = value if isinstance(value, list) else [value]
        outputs += [Output(name, str(target)) for target in targets if target is not None]
    return outputs


def _unrecognized(option: str, value: str | None) -> str:
    """Return the message for an unknown argument, with the option that was probably meant.

    `value` was parsed as the source: in `--camera 0`, it is the unknown option's value.
    """
    if not option.startswith("-"):
        return f"expected one source, found {value} and {option}; give a folder or a quoted 'folder/*.jpg'"
    from difflib import get_close_matches

    name, _, own_value = option.partition("=")
    matches = get_close_matches(name, ALTERNATIVES, n=1, cutoff=0.8)
    if not matches:
        return f"unrecognized arguments: {option}"
    hint = f"{ALTERNATIVES[matches[0]]} {own_value or value or ''}".strip()
    return f"unrecognized arguments: {option}; did you mean {hint}?"

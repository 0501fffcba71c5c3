"""The command line of edge/run.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.arguments import ArgumentParser, fourcc, fraction, positive, resolution, whole
from edge.backend import BACKENDS, SHIPPED
from edge.detector import DETECTORS
from edge.errors import UsageError
from edge.files import check_writable
from edge.sinks.video import CODECS
from edge.smoother import UNCERTAIN_BELOW
from edge.sources.recorded import PICTURES

READ = {*PICTURES, *CODECS, *BACKENDS}  # suffixes of what is read, be it in a folder or glob: no text goes there


def parse(description: str | None, argv: list[str] | None) -> argparse.Namespace:
    """The arguments, each checked by itself."""
    parser = ArgumentParser("edge/run.py", description)
    parser.add_argument(
        "--source",
        default="0",
        help="a camera's number, /dev/videoN, picamera, a URL, a video, a picture, a folder or 'glob' of them, demo",
    )
    parser.add_argument("--resolution", type=resolution, metavar="WxH", help="asked of the camera, as 1280x720")
    parser.add_argument("--fps", type=positive, help="asked of the camera")
    parser.add_argument("--fourcc", type=fourcc, help="pixel format asked of the camera: MJPG is often the quickest")
    parser.add_argument("--realtime", action="store_true", help="play a video as a camera would, dropping frames")
    parser.add_argument(
        "--model",
        type=Path,
        default=SHIPPED,
        help=".tflite or .onnx file made by export; auto or a folder: the fastest of those nearly as true as the best",
    )
    parser.add_argument(
        "--detector", default="auto", choices=["auto", *DETECTORS], help="auto: blazeface, if its model is at hand"
    )
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's model file")
    parser.add_argument(
        "--detect-every", type=whole(1), metavar="N", help="frames; on those between, faces are followed"
    )
    parser.add_argument("--no-display", action="store_true", help="show no window")
    parser.add_argument(
        "--record", type=Path, metavar="OUT", help="annotated video, or a folder where the source is pictures"
    )
    parser.add_argument(
        "--events",
        metavar="FILE|-",
        action="append",
        default=[],
        help="JSON lines, one a frame, or with a name in .csv a row a face; may be given again",
    )
    parser.add_argument("--stats", type=Path, metavar="FILE", help="FPS and stage times as JSON, at the end")
    parser.add_argument("--max-frames", type=whole(1), metavar="N", help="end after so many frames")
    parser.add_argument(
        "--threads", type=whole(1, 64), metavar="N", help="cores to use; if not given, 1 to classify, up to 4 to detect"
    )
    parser.add_argument(
        "--uncertain-below", type=fraction, default=UNCERTAIN_BELOW, metavar="P", help="probability of an emotion"
    )
    return parser.parse_args(argv)


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse outputs that cannot be written, or that would fall upon what is read or upon each other."""
    if args.stats is not None:
        check_writable(args.stats)
    source = Path(args.source)
    taken = {path.resolve() for path in (source, source.parent, args.model, args.detector_model) if path}
    events = [("--events", Path(events)) for events in args.events if events != "-"]
    for name, output in [("--record", args.record), *events, ("--stats", args.stats)]:
        if output is not None and output.resolve() in taken:
            raise UsageError(f"expected {name} apart from the source, the models and other outputs, found {output}")
        if name != "--record" and output is not None and output.suffix.lower() in READ:
            raise UsageError(f"expected {name} with a name unlike a picture's, video's or model's, found {output}")
        taken |= {output.resolve()} if output is not None else set()
    if args.events.count("-") > 1:
        raise UsageError("expected --events - once, found it again; leave one out")

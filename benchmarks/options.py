"""Parse the command line of python -m benchmarks."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge import detector as registry  # by module: the table may get rows at run time
from edge.arguments import ArgumentParser, positive, resolution, whole
from edge.redaction import redacted
from train.data import DATA

RESOLUTIONS = [(320, 240), (640, 480), (1280, 960)]
COMMON_RESOLUTION = (640, 480)  # at which all models are compared, if it is among those measured
MIN_FRAME_SIDE = 64  # pixels
MAX_FRAME_SIDE = 4096
REPORTS = Path("reports")
# What --quick changes, unless it is given: under two minutes in all.
QUICK = {
    "rounds": 10,
    "threads": [1],
    "frames": 60,
    "passes": 5,
    "resolutions": [COMMON_RESOLUTION],
}


@dataclass(frozen=True)
class Options:
    """Hold the command line; None or empty where the default depends on the machine."""

    models: Sequence[Path]
    data: Path | None
    source: str
    out: Path
    rounds: int
    threads: Sequence[int]
    frames: int
    passes: int
    resolutions: Sequence[tuple[int, int]]
    detectors: Sequence[str]
    detector_model: Path | None
    peer: str | None
    sustained: float | None  # minutes
    quick: bool
    rendered: Path | None  # results.json to render again
    command: str

    @property
    def common_resolution(self) -> tuple[int, int]:
        return COMMON_RESOLUTION if COMMON_RESOLUTION in self.resolutions else self.resolutions[0]


def parse_args(description: str | None, argv: list[str] | None = None) -> Options:
    parser = ArgumentParser("python -m benchmarks", description)
    add = parser.add_argument
    add(
        "--models",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="default: the newest run's and the shipped one",
    )
    add("--data", type=Path, help=f"FER-2013, for accuracy; default: {DATA}, if it exists")
    add("--source", default="demo", help="clip for the pipeline")
    add("--out", type=Path, help=f"new folder for the report; default: {REPORTS}/benchmark-DATE-TIME")
    add(
        "--quick",
        action="store_true",
        help="a first look in under two minutes, with fewer runs: one detector, one resolution, one thread",
    )
    add(
        "--from",
        dest="rendered",
        type=Path,
        metavar="FILE",
        help="results.json, or its folder: measure nothing, write "
        "its pages, tables and figures again; --out is its own folder by default",
    )
    add("--rounds", type=whole(5), default=50, help="rounds of 40 timed inferences per model and number of threads")
    add("--threads", type=whole(1, 64), nargs="+", default=[], help="default: 1, 2 and all cores; 1 is always included")
    add("--frames", type=whole(10), default=120, help="number of frames of the clip")
    add("--passes", type=whole(1), default=10, help="times that each configuration processes the clip")
    add("--resolutions", type=resolution, nargs="+", default=RESOLUTIONS, metavar="WxH", help="of the frames")
    add("--detectors", choices=tuple(registry.DETECTORS), nargs="+", default=[], help="default: all that work here")
    add("--detector-model", type=Path, metavar="FILE", help="for the detector that can use it; default: its usual file")
    add("--peer", metavar="PYTHON", help="a Python that has fer; default: this one, if it has")
    add("--sustained", type=positive, metavar="MINUTES", help="also run the pipeline at full load for so long")
    args = parser.parse_args(argv)
    if args.quick:
        parser.set_defaults(**QUICK)
        args = parser.parse_args(argv)
    for width, height in args.resolutions:
        if not MIN_FRAME_SIDE <= min(width, height) <= max(width, height) <= MAX_FRAME_SIDE or width % 2 or height % 2:
            expected = f"even sides of {MIN_FRAME_SIDE} to {MAX_FRAME_SIDE}"
            parser.error(f"--resolutions: expected {expected}, found {width}x{height}")
    others = [option for name, option in parser.given(argv).items() if name not in ("rendered", "out")]
    if args.rendered is not None and others:
        parser.error(f"--from renders what was measured; leave out {', '.join(others)}")
    args.out = args.out or (results_folder(args.rendered) if args.rendered else _new_folder())
    command = redacted("python -m benchmarks " + shlex.join(sys.argv[1:] if argv is None else argv))
    return Options(**vars(args), command=command)


def results_folder(path: Path) -> Path:
    """Return the folder of a report, which is named itself or by its results.json."""
    return path if path.is_dir() else path.parent


def _new_folder() -> Path:
    return REPORTS / f"benchmark-{time.strftime('%Y%m%d-%H%M%S')}"

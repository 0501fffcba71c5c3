"""Parse the command line that all export formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.adopt import NOTHING, Description, add_description, take_description
from edge.arguments import ArgumentParser, whole
from export.calibrate import FACES
from export.format import Format
from export.verify import add_data


@dataclass(frozen=True)
class Options:
    """Hold the options of the command line."""

    precisions: tuple[str, ...]
    model: Path | None = None  # None: the newest run's or the shipped
    data: Path | None = None
    out: Path | None = None  # None: next to the model
    calibration_faces: int | None = None  # None: what is saved next to the model, if anything
    description: Description = NOTHING  # of a model from elsewhere


def parse_args(file_format: Format, argv: list[str] | None = None) -> Options:
    suffix = file_format.suffix
    parser = ArgumentParser(f"python -m export.{suffix[1:]}", file_format.usage)
    for precision in file_format.precisions:
        parser.add_argument(
            f"--{precision}",
            dest="precisions",
            action="append_const",
            const=precision,
            help=f"write a {precision} file",
        )
    parser.add_argument(
        "--all",
        dest="precisions",
        action="store_const",
        const=list(file_format.precisions),
        help="write a file of every precision",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="a run's model.keras or a Keras model from elsewhere (.keras, .h5, SavedModel); if not given, the newest "
        "run's or the shipped one",
    )
    add_data(parser)
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        help=f"file; if not given, NAME_PRECISION{suffix} next to NAME.keras (emotion for model.keras)",
    )
    parser.add_argument(
        "--calibration-faces",
        type=whole(1),
        help=f"calibrate again, on this many faces; if not given, reuse the saved calibration or calibrate on {FACES}",
    )
    add_description(parser.add_argument_group("a Keras model from elsewhere"))
    args = parser.parse_args(argv)
    if not args.precisions:
        names = ", ".join("--" + name for name in file_format.precisions)
        parser.error(f"expected at least one of {names}, or --all")
    values = vars(args)
    description = take_description(values)
    return Options(**{**values, "precisions": tuple(dict.fromkeys(args.precisions)), "description": description})

"""The command line and the story that every export format shares: load, convert, prove, and only then write."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.arguments import at_least
from edge.card import ModelCard
from edge.errors import MissingExtra, ModelError, UsageError, exit_status
from edge.files import whole_file
from edge.labels import EMOTIONS
from edge.quiet import quiet
from train.data import FACE_SIZE, FaceSet, load, require
from train.extras import require_keras

if TYPE_CHECKING:
    import keras

LICENCE = "file: Apache-2.0; trained on FER-2013, whose pictures are for research use"


@dataclass(frozen=True)
class Format:
    """What one file format adds to the story."""

    suffix: str
    packages: tuple[str, ...]  # import names that it needs, from the extra `train`
    precisions: tuple[str, ...]
    convert: Callable[[keras.Model, str, FaceSet], bytes]  # model, precision, calibration faces
    write: Callable[[Path, bytes, ModelCard], None]


def parse_args(form: Format, argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m export.{form.suffix[1:]}", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    for precision in form.precisions:
        parser.add_argument(
            f"--{precision}", dest="chosen", action="append_const", const=precision, help=f"write a {precision} file"
        )
    parser.add_argument("--model", type=Path, help="model.keras; that of the newest finished run if not given")
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="calibration and validation faces")
    parser.add_argument("-o", "--out", type=Path, help=f"file to write; emotion_PRECISION{form.suffix} beside the model if not given")
    parser.add_argument("--calibration-faces", type=at_least(len(EMOTIONS)), default=301, help="for int8, over all emotions")
    args = parser.parse_args(argv)
    if not args.chosen:
        parser.error(f"expected at least one of {', '.join('--' + name for name in form.precisions)}")
    return args


def main(form: Format, argv: list[str] | None = None) -> int:
    args = parse_args(form, argv)
    return exit_status(lambda: export(form, args))


def export(form: Format, args: argparse.Namespace) -> int:
    """Every file chosen, each proven before it is there."""
    _check_usage(form, args)
    require_keras()
    from export.calibrate import describe, sample
    from export.verify import compare
    from train.evaluate import predict, predict_keras
    from train.runs import load_model, newest_model

    path = args.model or newest_model()
    model = load_model(path)
    size = _input_size(model, path)
    print(f"exporting {path}")
    faces = load(args.data, ("train", "public"))
    validation = require(faces, "public", args.data)
    calibration = sample(require(faces, "train", args.data), args.calibration_faces)
    reference = predict_keras(model, validation.images)
    for precision in args.chosen:
        card = ModelCard(
            labels=EMOTIONS,
            input_size=size,
            face_size=FACE_SIZE,
            precision=precision,
            architecture=model.name,
            training_data="FER-2013, split Training; epoch chosen on PublicTest",
            licence=LICENCE,
            keras_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            calibration=describe(calibration) if precision == "int8" else None,
            versions={name: importlib.metadata.version(name) for name in ("keras", *form.packages)},
        )
        out = args.out or path.with_name(f"emotion_{precision}{form.suffix}")
        with whole_file(out) as beside:
            with quiet():
                content = form.convert(model, precision, calibration)
            form.write(beside, content, card)
            parity = compare(validation, reference, predict(beside, validation.images))
            parity.check(precision, out)
            form.write(beside, content, replace(card, validation=asdict(parity)))
        print(
            f"{out}  {out.stat().st_size / 1e6:.2f} MB  accuracy {parity.accuracy:.2%} (Keras {parity.keras_accuracy:.2%}"
            f", {parity.faces} PublicTest faces)  agreement {parity.agreement:.2%}"
            f"  largest difference {parity.largest_difference:.2g}"
        )
        print(f"run it: python edge/run.py --source demo --model {out}")
    return 0


def _check_usage(form: Format, args: argparse.Namespace) -> None:
    """All that can be refused before anything long begins."""
    for package in ("keras", *form.packages):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingExtra(package, "train") from error
    if args.out is not None and len(args.chosen) > 1:
        raise UsageError(f"-o names one file, but {len(args.chosen)} precisions were asked for; leave it out")
    if args.out is not None and args.out.suffix != form.suffix:
        raise UsageError(f"expected -o with a name ending in {form.suffix}, found {args.out}")


def _input_size(model: keras.Model, path: Path) -> int:
    """The side of the model's square RGB input; ModelError for any other model."""
    taken, given = model.input_shape, model.output_shape
    if len(taken) != 4 or taken[1] != taken[2] or taken[1] is None or taken[3] != 3 or given != (None, len(EMOTIONS)):
        raise ModelError(
            f"expected a model of size x size x 3 inputs and {len(EMOTIONS)} outputs, found {taken} and {given} in {path}"
        )
    return int(taken[1])


def serving_model(model: keras.Model, dtype: str) -> keras.Model:
    """The model for one face at a time, [1, size, size, 3]; of uint8 pixels the cast to float32 is part of the graph."""
    import keras

    pixels = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=dtype, name="pixels")
    return keras.Model(pixels, model(keras.ops.cast(pixels, "float32")), name=model.name)

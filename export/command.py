"""The command line and the story that every export format shares: load, convert, prove, and only then write."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge.arguments import ArgumentParser, whole
from edge.card import ModelCard
from edge.errors import UsageError, exit_status
from edge.files import check_writable, whole_file
from edge.labels import EMOTIONS
from edge.quiet import quiet
from export.calibrate import FACES, describe, sample
from export.verify import compare
from train.data import FACE_SIZE, FaceSet, load, split_of
from train.evaluate import predict, predict_keras
from train.extras import require, require_keras
from train.progress import progress
from train.runs import load_model, newest_model

if TYPE_CHECKING:
    import keras

LICENCE = "file: Apache-2.0; trained on FER-2013, whose pictures are for research use"


@dataclass(frozen=True)
class Format:
    """What one file format adds to the story."""

    suffix: str
    usage: str  # the docstring of the format's module
    packages: tuple[str, ...]  # import names that it needs, from the extra `train`
    precisions: tuple[str, ...]
    convert: Callable[[keras.Model, str, FaceSet | None], bytes]  # model, precision, calibration faces for int8
    write: Callable[[Path, bytes, ModelCard], None]


def parse_args(form: Format, argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(f"python -m export.{form.suffix[1:]}", form.usage)
    for precision in form.precisions:
        parser.add_argument(
            f"--{precision}", dest="chosen", action="append_const", const=precision, help=f"write a {precision} file"
        )
    parser.add_argument("--model", type=Path, help="model.keras; that of the newest finished run if not given")
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="calibration and validation faces")
    parser.add_argument(
        "-o", "--out", type=Path, help=f"file; emotion_PRECISION{form.suffix} beside the model if not given"
    )
    parser.add_argument(
        "--calibration-faces", type=whole(len(EMOTIONS)), default=FACES, help="for int8, over all emotions"
    )
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

    path = args.model or newest_model()
    model = load_model(path)
    print(f"exporting {path}")
    faces = load(args.data, ("train", "public"))
    validation = split_of(faces, "public", args.data)
    calibration = None
    if "int8" in args.chosen:
        calibration = sample(split_of(faces, "train", args.data), args.calibration_faces)
    outs = {name: args.out or path.with_name(f"emotion_{name}{form.suffix}") for name in args.chosen}
    for out in outs.values():
        check_writable(out)
    proven = []
    with progress() as stage:
        reference = predict_keras(model, validation.images, stage("Keras model on PublicTest", len(validation)))
        for precision, out in outs.items():
            done = stage(f"convert to {precision}", 1)
            with quiet():
                content = form.convert(model, precision, calibration)
            done()
            card = ModelCard(
                labels=EMOTIONS,
                input_size=model.input_shape[1],
                face_size=FACE_SIZE,
                precision=precision,
                architecture=model.name,
                training_data="FER-2013, split Training; epoch chosen on PublicTest",
                licence=LICENCE,
                keras_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                calibration={**describe(calibration), "bias_correction": True}
                if calibration and precision == "int8"
                else None,
                versions={name: importlib.metadata.version(name) for name in ("keras", *form.packages)},
            )
            with whole_file(out) as beside:
                form.write(beside, content, card)
                done = stage(f"{precision} on PublicTest", len(validation))
                parity = compare(validation, reference, predict(beside, validation.images, done))
                parity.check(precision, out)
                form.write(beside, content, replace(card, validation=asdict(parity)))
            proven.append(f"{out}  {out.stat().st_size / 1e6:.2f} MB  {parity}")
    print("\n".join(proven))
    print(f"run it: python edge/run.py --source demo --model {out}")
    return 0


def _check_usage(form: Format, args: argparse.Namespace) -> None:
    """All that can be refused before anything long begins."""
    for package in ("keras", *form.packages):
        require(package, package, "train")
    if args.out is not None and len(args.chosen) > 1:
        raise UsageError(f"-o names one file, but {len(args.chosen)} precisions were asked for; leave it out")
    if args.out is not None and args.out.suffix != form.suffix:
        raise UsageError(f"expected -o with a name ending in {form.suffix}, found {args.out}")


def serving_model(model: keras.Model, dtype: str) -> keras.Model:
    """The model for one face at a time, [1, size, size, 3]; the cast of uint8 pixels is part of the graph."""
    import keras

    pixels = keras.Input(batch_shape=(1, *model.input_shape[1:]), dtype=dtype, name="pixels")
    return keras.Model(pixels, model(keras.ops.cast(pixels, "float32")), name=model.name)

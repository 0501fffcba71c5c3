"""The command line and the story that every export format shares: load, convert, prove, and only then write."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.arguments import ArgumentParser, whole
from edge.card import ModelCard
from edge.errors import DataError, UsageError, exit_status
from edge.files import atomic_write, check_writable
from edge.labels import EMOTIONS
from edge.quiet import quiet
from edge.values import Probabilities
from export.bias_correction import corrected, shifts
from export.calibrate import FACES, Calibration, describe, read_calibration, sample
from export.format import Format
from export.summary import TIMED_RUNS, ExportedFile, latencies, report
from export.verify import Parity, add_data, compare, validation_faces
from train.data import FaceSet, load, train_val_split
from train.extras import require, require_keras
from train.forms import FACE_SIZE
from train.predict import predict, predict_keras
from train.progress import Advance, progress
from train.runs import BACKBONE, load_model, newest_model

if TYPE_CHECKING:
    import keras

LICENCE = "file: Apache-2.0; trained on FER-2013, whose pictures are for research use"
ROUNDED = ("dynamic", "int8")  # precisions with int8 kernels: they need a calibration


def parse_args(form: Format, argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(f"python -m export.{form.suffix[1:]}", form.usage)
    for precision in form.precisions:
        parser.add_argument(
            f"--{precision}", dest="chosen", action="append_const", const=precision, help=f"write a {precision} file"
        )
    parser.add_argument(
        "--all", dest="chosen", action="store_const", const=list(form.precisions), help="write them all"
    )
    parser.add_argument("--model", type=Path, help="model.keras; that of the newest run, or the shipped, if not given")
    add_data(parser)
    parser.add_argument(
        "-o", "--out", type=Path, help=f"file; emotion_PRECISION{form.suffix} beside the model if not given"
    )
    parser.add_argument(
        "--calibration-faces",
        type=whole(len(EMOTIONS)),
        help=f"calibrate anew on so many ({FACES} the first time), not from what is saved beside the model",
    )
    args = parser.parse_args(argv)
    if not args.chosen:
        parser.error(f"expected at least one of {', '.join('--' + name for name in form.precisions)}, or --all")
    args.chosen = list(dict.fromkeys(args.chosen))
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
    outs = {name: args.out or path.with_name(f"emotion_{name}{form.suffix}") for name in args.chosen}
    for out in outs.values():
        check_writable(out)
    validation = validation_faces(args.data)
    with progress() as stage:
        saved = calibration = _saved_calibration(form, args, path)
        if calibration is None and set(ROUNDED) & set(outs):
            done = stage("calibrate", 1)
            calibration = _calibrate(form, args, path, model)
            done()
        reference = predict_keras(model, validation.images, stage("Keras model", len(validation)))
        proven = []
        for precision, out in outs.items():
            prover = Exporter(form, path, model, precision, calibration if precision in ROUNDED else None)
            parity = prover.write(out, validation, reference, stage(precision, 1 + len(validation)))
            proven.append(ExportedFile(out, precision, parity))
        if calibration is not None and saved is None:
            calibration.save(_calibration_file(form, path))
        times = latencies(form, model, proven, validation.images, stage("latency", TIMED_RUNS))
    report(proven, times, validation.split)
    return 0


def _check_usage(form: Format, args: argparse.Namespace) -> None:
    """All that can be refused before anything long begins."""
    for package in ("keras", *form.packages):
        require(package.replace("-", "_"), package, "train")
    if args.out is not None and len(args.chosen) > 1:
        raise UsageError(f"-o names one file, but {len(args.chosen)} precisions were asked for; leave it out")
    if args.out is not None and args.out.suffix != form.suffix:
        raise UsageError(f"expected -o with a name ending in {form.suffix}, found {args.out}")


def _calibration_file(form: Format, path: Path) -> Path:
    return path.with_suffix(f"{form.suffix}.npz")


def _saved_calibration(form: Format, args: argparse.Namespace, path: Path) -> Calibration | None:
    """The calibration beside the model, if it is this very model's and no other is asked for."""
    file = _calibration_file(form, path)
    if args.calibration_faces is not None or not file.is_file():
        return None
    saved = read_calibration(file)
    return saved if saved.keras_sha256 == sha256(path) else None


def _calibrate(form: Format, args: argparse.Namespace, path: Path, model: keras.Model) -> Calibration:
    """Measured on training faces; to be saved beside the model once its files are proven."""
    file = _calibration_file(form, path)
    if args.data is None:
        raise DataError(f"expected faces to calibrate int8 on, or {file} of this model, found neither; give --data")
    check_writable(file)
    learnt, _ = train_val_split(load(args.data, ("train", "public")), args.data)
    faces = sample(learnt, args.calibration_faces or FACES)
    with quiet():
        found = shifts(model, faces)
        return Calibration(sha256(path), describe(faces), found, form.ranges(corrected(model, found), faces))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Exporter:
    """One conversion of one model."""

    form: Format
    path: Path
    model: keras.Model
    precision: str
    calibration: Calibration | None

    def write(self, out: Path, validation: FaceSet, reference: Probabilities, advance: Advance) -> Parity:
        """The file, if it holds against the Keras model's probabilities [n, 7] of the validation faces."""
        with quiet():
            content = self.form.convert(self.model, self.precision, self.calibration)
        advance()
        with atomic_write(out) as tmp:
            self.form.write(tmp, content, self._card({}))
            parity = compare(validation, reference, predict(tmp, validation.images, advance))
            parity.check(self.precision, out)
            parity = self._on_record(parity, hashlib.sha256(content).hexdigest())
            self.form.write(tmp, content, self._card(parity.to_json()))
        return parity

    def _card(self, validation: dict[str, Any]) -> ModelCard:
        return ModelCard(
            labels=EMOTIONS,
            input_size=self.model.input_shape[1],
            face_size=FACE_SIZE,
            precision=self.precision,
            architecture=self.model.name,
            macs=multiply_adds(self.model),
            training_data="FER-2013, split Training; epoch chosen on PublicTest",
            licence=LICENCE,
            keras_sha256=sha256(self.path),
            calibration={**self.calibration.faces, "bias_correction": True} if self.calibration else None,
            validation=validation,
            versions={name: importlib.metadata.version(name) for name in ("keras", *self.form.packages)},
        )

    def _on_record(self, parity: Parity, graph_sha256: str) -> Parity:
        """Where the faces have no labels: what was measured when they had, on this very graph, byte for byte."""
        if self.calibration is None:
            return parity
        if parity.accuracy is not None:
            self.calibration.proven[self.precision] = {"graph_sha256": graph_sha256, **parity.to_json()}
            return parity
        record = dict(self.calibration.proven.get(self.precision, {}))
        return Parity(**record) if record.pop("graph_sha256", "") == graph_sha256 else parity


def multiply_adds(model: keras.Model) -> int:
    """Of one inference: every tap of every kernel, at each place where it is applied. [MobileNetV2 at 96: 56 M]"""
    total = 0
    for layer in model.get_layer(BACKBONE).layers + model.layers:
        if hasattr(layer, "kernel"):
            places = math.prod(layer.output.shape[1:-1])  # 1 for a dense layer
            total += places * math.prod(layer.kernel.shape)
    return total

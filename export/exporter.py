"""Export a model in one format: load, convert, verify against Keras, and only then write."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.backend import open_backend
from edge.card import ModelCard
from edge.errors import DataError, EmotionError, ModelError, ParityError, UsageError, exit_status
from edge.files import atomic_write, check_writable
from edge.quiet import quiet
from edge.self_check import face_input
from edge.values import Probabilities
from export.bias_correction import corrected_model, mean_errors
from export.calibrate import FACES, Calibration, describe, read_calibration, sample
from export.format import Format
from export.options import Options, parse_args
from export.subject import Subject, foreign_subject, is_foreign, own_subject
from export.summary import TIMED_RUNS, ExportedFile, latencies, report
from export.verify import Parity, compare, data_of, usual_data, validation_faces
from train.data import FOLDS, FaceSet, load, split_of, train_val_split
from train.extras import require, require_keras
from train.predict import predict, predict_keras
from train.progress import Advance, progress
from train.recipe import Recipe, recipe_of
from train.runs import check_model_file, newest_model, reason_of

QUANTIZED = ("dynamic", "int8")  # precisions with int8 kernels: they need a calibration


def main(file_format: Format, argv: list[str] | None = None) -> int:
    options = parse_args(file_format, argv)
    return exit_status(lambda: export(file_format, options))


def export(file_format: Format, options: Options) -> int:
    """Write a file of each precision, each verified first, and print a summary."""
    _check_usage(file_format, options)
    path = options.model or newest_model()
    if is_foreign(path, options.description):
        require_keras()
        subject = foreign_subject(path, options.description)
        data = options.data or usual_data(subject.recipe)
        validation = validation_faces(data, subject.recipe)
    else:
        check_model_file(path)
        data = options.data or data_of(path)
        validation = validation_faces(data, recipe_of(path))  # before Keras is imported, which takes long
        require_keras()
        subject = own_subject(path)
    print(f"exporting {path}")
    outs = {name: options.out or default_name(path, name, file_format) for name in options.precisions}
    for out in outs.values():
        check_writable(out)
    exporter = Exporter(file_format, subject)
    with progress() as stage:
        calibrated = _set_calibration(exporter, replace(options, data=data), stage)
        advance = stage("Keras model", len(validation))
        reference = predict_keras(subject.model, validation.images, advance, face_size=subject.card.face_size)
        files = [
            exporter.write(precision, out, validation, reference, stage(precision, 1 + len(validation)))
            for precision, out in outs.items()
        ]
        if calibrated and exporter.calibration is not None:
            exporter.calibration.save(exporter.calibration_file)
        base, times = latencies(file_format, subject, files, validation, stage("latency", TIMED_RUNS))
    report(files, times, base, validation.split)
    return 0


def default_name(path: Path, precision: str, file_format: Format) -> Path:
    """Return the file of a precision: NAME_int8.tflite next to NAME.keras, emotion_int8.tflite next to model.keras."""
    name = "emotion" if path.stem == "model" else path.stem
    return path.with_name(f"{name}_{precision}{file_format.suffix}")


def _check_usage(file_format: Format, options: Options) -> None:
    """Raise the errors that can be told before any long work."""
    for package in ("keras", *file_format.packages):
        require(package.replace("-", "_"), package, "train")
    if options.out is not None and len(options.precisions) > 1:
        raise UsageError(f"-o names one file, but {len(options.precisions)} precisions were asked for; leave it out")
    if options.out is not None and options.out.suffix != file_format.suffix:
        raise UsageError(f"expected -o with a name ending in {file_format.suffix}, found {options.out}")


def _set_calibration(exporter: Exporter, options: Options, stage: Callable[[str, int], Advance]) -> bool:
    """Give the exporter the saved calibration or a new one; return whether it is new, and to be saved."""
    if options.calibration_faces is None:
        exporter.calibration = exporter.saved_calibration()
    if exporter.calibration is not None or not set(QUANTIZED) & set(options.precisions):
        return False
    if options.data is None:
        file = exporter.calibration_file
        raise DataError(f"expected faces to calibrate int8 on, or {file} of this model, found neither; give --data")
    check_writable(exporter.calibration_file)
    advance = stage("calibrate", 1)
    train = _training_faces(options.data, exporter.subject.recipe)
    exporter.calibration = exporter.calibrate(sample(train, options.calibration_faces or FACES))
    advance()
    return True


def _training_faces(data: Path, recipe: Recipe) -> FaceSet:
    """Return the faces that a model by this recipe may have learned from."""
    faces = load(data, ("train",), labels=recipe.labels, ignore=recipe.ignore)
    train = split_of(faces, "train", data) if recipe.validation == FOLDS else train_val_split(faces, data)[0]
    return train.of_classes(recipe.classes)


@dataclass
class Exporter:
    """Write one model in one file format."""

    file_format: Format
    subject: Subject
    calibration: Calibration | None = None

    @property
    def calibration_file(self) -> Path:
        return self.subject.path.with_suffix(f"{self.file_format.suffix}.npz")

    def saved_calibration(self) -> Calibration | None:
        """Return the calibration next to the model, or None if there is none or it belongs to another model."""
        if not self.calibration_file.is_file():
            return None
        saved = read_calibration(self.calibration_file)
        return saved if saved.keras_sha256 == self.subject.identity else None

    def calibrate(self, faces: FaceSet) -> Calibration:
        """Measure the mean errors and ranges on training faces."""
        with quiet(), self._converting():
            folded = self.subject.folded
            errors = mean_errors(folded, faces, self.file_format.kernel_limit)
            ranges = self.file_format.measure_ranges(corrected_model(folded, errors), faces)
        return Calibration(self.subject.identity, describe(faces), errors, ranges)

    def write(
        self, precision: str, out: Path, validation: FaceSet, reference: Probabilities, advance: Advance
    ) -> ExportedFile:
        """Convert, verify and write one file.

        `reference` are the Keras model's probabilities [n, 7] of the validation faces. Raises ParityError, and leaves
        `out` as it was, if the file does not match them.
        """
        calibration = self.calibration if precision in QUANTIZED else None
        with quiet(), self._converting():
            content = self.file_format.convert(self.subject.folded, precision, calibration)
            outputs = self.file_format.reference(content, face_input(self.subject.size))
            answer = tuple(round(value, 4) for value in outputs.tolist())
        advance()
        card = self._card(precision, calibration)
        with atomic_write(out) as tmp:
            self.file_format.write(tmp, content, card)
            measured = compare(validation, reference, predict(tmp, validation.images, advance, validation.classes))
            try:
                measured.check(precision, out)
            except ParityError as error:
                raise ParityError(f"{error}; nothing was written") from error
            recorded = recorded_parity(calibration, precision, measured, hashlib.sha256(content).hexdigest())
            proven = replace(card, validation=recorded.to_json(), face_probabilities=answer)
            self.file_format.write(tmp, content, proven)
            open_backend(tmp)  # what was written opens here, and answers the built-in face right
        return ExportedFile(out, precision, recorded if measured.accuracy is None else measured)

    @contextlib.contextmanager
    def _converting(self) -> Iterator[None]:
        """Raise ModelError where a converter fails: it may lack an operation of a model from elsewhere."""
        try:
            yield
        except EmotionError:
            raise
        except Exception as error:  # the converters raise their own
            lacking = ", ".join(sorted(set(re.findall(r"'(tf\.\w+)' op is neither", str(error)))))
            reason = f"it lacks {lacking}" if lacking else reason_of(error).partition("<unknown>")[0]
            raise ModelError(
                f"expected a model of operations that {self.file_format.suffix} has, cannot convert "
                f"{self.subject.path}: {reason}; try another precision, or the other format"
            ) from error

    def _card(self, precision: str, calibration: Calibration | None) -> ModelCard:
        corrected = {**calibration.faces, "bias_correction": bool(calibration.mean_errors)} if calibration else None
        packages = ("keras", *self.file_format.packages)
        versions = {name: importlib.metadata.version(name) for name in packages}
        return replace(self.subject.card, precision=precision, calibration=corrected, versions=versions)


def recorded_parity(calibration: Calibration | None, precision: str, measured: Parity, graph_sha256: str) -> Parity:
    """Return the figures for the card, and record in the calibration those of a graph that it does not have yet.

    A graph keeps the figures that were recorded when it was calibrated, so that its file is the same, byte for byte, on
    every machine and without the data set.
    """
    if calibration is None:
        return measured
    record = dict(calibration.proven.get(precision, {}))
    if record.pop("graph_sha256", "") == graph_sha256:
        recorded = Parity(**record)
        if measured.accuracy is None or (measured.split, measured.faces) == (recorded.split, recorded.faces):
            return recorded
    if measured.accuracy is not None:
        calibration.proven[precision] = {"graph_sha256": graph_sha256, **measured.to_json()}
    return measured

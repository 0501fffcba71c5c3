"""The parity gate: an exported file against the Keras model it was made from, on real faces.

python -m export.verify runs/NAME/emotion_int8.tflite --against runs/NAME/model.keras --data data/fer2013
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.arguments import ArgumentParser
from edge.classifier import open_backend
from edge.errors import ModelError, ParityError, exit_status
from train.data import FaceSet, load, split_of
from train.evaluate import predict
from train.progress import progress


@dataclass(frozen=True)
class Limits:
    """What a file of some precision must hold; shares of the faces and of 1."""

    agreement: float
    accuracy_loss: float
    difference: float


LIMITS = {
    "float32": Limits(agreement=0.999, accuracy_loss=0.001, difference=1e-3),
    "int8": Limits(agreement=0.95, accuracy_loss=0.01, difference=1.0),
}


@dataclass(frozen=True)
class Parity:
    """An export beside its Keras model on the same faces."""

    split: str
    faces: int
    keras_accuracy: float
    accuracy: float
    agreement: float  # share of faces that get the same emotion
    largest_difference: float  # of any probability of any face

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy:.2%} (Keras {self.keras_accuracy:.2%}, {self.faces} faces of {self.split})  "
            f"agreement {self.agreement:.2%}  largest difference {self.largest_difference:.2g}"
        )

    def check(self, precision: str, path: Path) -> None:
        """Raise ParityError where the file does not hold what its precision must, ModelError for an unknown one."""
        if precision not in LIMITS:
            raise ModelError(f"expected a precision {' or '.join(LIMITS)} in {path}, found {precision!r}")
        limits = LIMITS[precision]
        loss = self.keras_accuracy - self.accuracy
        holds = self.agreement >= limits.agreement and loss <= limits.accuracy_loss
        if not (holds and self.largest_difference <= limits.difference):
            raise ParityError(
                f"{path.name} does not hold against its Keras model: {self}; expected agreement >= "
                f"{limits.agreement:.1%}, accuracy loss <= {limits.accuracy_loss:.1%}, difference <= "
                f"{limits.difference:g}; nothing was written"
            )


def compare(faces: FaceSet, reference: npt.NDArray[np.float32], exported: npt.NDArray[np.float32]) -> Parity:
    """Both probabilities are [n, 7], for the same faces in the same order."""
    return Parity(
        split=faces.split,
        faces=len(faces),
        keras_accuracy=float((reference.argmax(1) == faces.labels).mean()),
        accuracy=float((exported.argmax(1) == faces.labels).mean()),
        agreement=float((reference.argmax(1) == exported.argmax(1)).mean()),
        largest_difference=float(np.abs(reference - exported).max()),
    )


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m export.verify", __doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".tflite or .onnx files")
    parser.add_argument("--against", type=Path, required=True, help="the Keras model they were made from")
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="data set with PublicTest faces")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: verify(args))


def verify(args: argparse.Namespace) -> int:
    precisions = [open_backend(file).card.precision for file in args.files]
    everything = [args.against, *args.files]
    faces = split_of(load(args.data, ("public",)), "public", args.data)
    with progress() as stage:
        reference, *exported = (predict(file, faces.images, stage(file.name, len(faces))) for file in everything)
    for file, precision, probabilities in zip(args.files, precisions, exported, strict=True):
        parity = compare(faces, reference, probabilities)
        print(f"{file}  {parity}")
        parity.check(precision, file)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Put a card on a model file of another tool, so that it runs, and is measured, as the project's own files are.

edge-emotion adopt fer.tflite --labels angry,disgust,fear,happy,sad,surprise,neutral --scale -1..1 -o adopted.tflite
edge-emotion adopt emotion-ferplus-8.onnx --scale 0..255 -o adopted.onnx \\
    --labels neutral,happiness,surprise,sadness,anger,disgust,fear,contempt

The file first runs on a built-in face, which smiles, and the answer is shown: a wrong order of labels or a wrong scale
answers something else. Without --scale, the answers by every scale are shown. The file itself stays as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.arguments import ArgumentParser, whole
from edge.backend import backend_class, check_suffix, open_backend
from edge.backends.base import Backend
from edge.backends.tensors import IMAGENET, SCALES, Signature, Tensor, kind_of_outputs
from edge.card import MAX_LABEL, MAX_SIZE, PROBABILITIES, ModelCard
from edge.errors import ModelError, UsageError, exit_status
from edge.files import atomic_write, check_writable, same_file
from edge.label_names import label
from edge.model_file import ModelFile, bare_graph, file_bytes, read_model_bytes
from edge.self_check import face_input
from edge.untrusted import printable, read_bounded
from edge.values import Floats, Image, Probabilities

BUILT_IN = "happy"  # the expression of the built-in face
SMALLEST_FACE = 48  # pixels: faces are not reduced to less than FER-2013's, unless --face-size says so
NOT_STATED = "not stated"
LABELS_HELP = "in the outputs' order; or a file with one a line, as Teachable Machine's labels.txt"


@dataclass(frozen=True)
class Description:
    """Hold what only a person can tell about a model of another tool."""

    labels: tuple[str, ...] = ()
    scale: str | None = None
    size: int | None = None
    grey: bool = False
    face_size: int | None = None
    trained_on: str = NOT_STATED
    licence: str = NOT_STATED


NOTHING = Description()


@dataclass(frozen=True)
class Options:
    file: Path
    out: Path
    description: Description


def parse_args(argv: Sequence[str] | None = None) -> Options:
    parser = ArgumentParser("edge-emotion adopt", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help=".tflite or .onnx file of a classifier of faces")
    add_description(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, help="file to write, of the same kind")
    values = vars(parser.parse_args(argv))
    return Options(values["file"], values["out"], take_description(values))


def take_description(values: dict[str, Any]) -> Description:
    """Take the arguments of add_description out of a command line's."""
    return Description(**{item.name: values.pop(item.name) for item in fields(Description)})


def add_description(parser: argparse._ActionsContainer) -> None:
    """Add the arguments of a Description; export has the same."""
    parser.add_argument("--labels", type=parse_labels, default=(), metavar="NAME,...|FILE.txt", help=LABELS_HELP)
    parser.add_argument(
        "--scale", choices=list(SCALES), metavar="|".join(SCALES), help="of the pixels that the model expects"
    )
    parser.add_argument("--size", type=whole(1, MAX_SIZE), help="side of the input in pixels, where the file has none")
    parser.add_argument("--grey", action="store_true", help="the model learned grey faces, even if it has 3 channels")
    parser.add_argument(
        "--face-size", type=whole(1, MAX_SIZE), help="resolution of its training faces; default: the input's"
    )
    parser.add_argument("--trained-on", default=NOT_STATED, metavar="TEXT", help="its training data, for the card")
    parser.add_argument("--licence", default=NOT_STATED, metavar="TEXT", help="its terms, for the card")


def parse_labels(text: str) -> tuple[str, ...]:
    """Parse labels, or read them from a .txt file; an emotion gets this project's name for it, as happiness happy."""
    names = tuple(label(name) for name in (_lines(Path(text)) if text.endswith(".txt") else text.split(",")))
    if not all(names) or len(set(names)) < max(2, len(names)):
        raise argparse.ArgumentTypeError(f"expected different labels as angry,happy,sad, found {text[:80]!r}")
    return names


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in read_bounded(path).decode("utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"expected a file with one label a line, cannot read {path}: {error}"
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_args(argv)
    return exit_status(lambda: adopt(options))


def adopt(options: Options) -> int:
    """Write a copy of a model file with a card, after running it on the built-in face."""
    file, out = options.file, options.out
    check_suffix(file)
    if out.suffix != file.suffix or same_file(out, file):
        raise UsageError(f"expected -o with another name ending in {file.suffix}, found {out}")
    check_writable(out)
    graph = bare_graph(file, read_model_bytes(file))
    signature = backend_class(file).signature(graph, file)
    described = describe(signature, options.description, str(file))
    scale = options.description.scale
    if scale is None:
        raise UsageError(f"expected --scale of {file} ({signature}); {_answers(ModelFile(file, graph, described))}")
    card, answer = _proven(ModelFile(file, graph, replace(described, input_scale=scale)))
    with atomic_write(out) as tmp:
        tmp.write_bytes(file_bytes(out, graph, card))
        open_backend(tmp)
    outputs = "" if card.outputs == PROBABILITIES else f", which are {card.outputs} and become probabilities"
    print(f"{file}: {signature}{outputs}")
    print(f"the built-in face, which smiles: {ranking(card.labels, answer)}")
    if BUILT_IN in card.labels and card.labels[int(answer.argmax())] != BUILT_IN:
        answers = _answers(ModelFile(file, graph, card))
        print(f"warning: expected {BUILT_IN}; if --labels has the outputs' order, the scale may be wrong: {answers}")
    print(f"wrote {out}; run it: edge-emotion --model {out}")
    return 0


def describe(signature: Signature, about: Description, place: str) -> ModelCard:
    """Return a card for a graph. Raises UsageError where the graph is no classifier of faces, or needs an argument."""
    found = f"found {place} with {signature}"
    size, channels, layout = _layout(signature.inputs[0], about, found)
    count = signature.output_count
    if len(signature.inputs) != 1 or count < 2:
        raise ModelError(f"expected one input, and one output with a value a label, {found}; export that part alone")
    if len(about.labels) != count:
        raise UsageError(
            f"expected --labels with {count} names, one an output and in their order, "
            f"{found} and {len(about.labels) or 'no'} labels"
        )
    return ModelCard(
        labels=about.labels,
        input_size=size,
        face_size=about.face_size or max(size, SMALLEST_FACE),
        precision=signature.precision,
        architecture=printable(Path(place).stem)[:MAX_LABEL],
        colour="grey" if about.grey or channels == 1 else "rgb",
        channels=channels,
        input_type=signature.inputs[0].type,
        input_layout=layout,
        training_data=about.trained_on,
        licence=about.licence,
    )


def _layout(tensor: Tensor, about: Description, found: str) -> tuple[int, int, str]:
    """Return side, channels and layout of an input. Raises ModelError or UsageError where it is no square picture."""
    shape = tensor.shape
    channels_at = next((i for i in (3, 1) if len(shape) == 4 and shape[i] in (1, 3)), None)
    sides = {side for i, side in enumerate(shape) if i not in (0, channels_at)} - {-1}
    if channels_at is None or len(sides) > 1 or shape[0] not in (1, -1):
        wanted = "[1,size,size,channels] or [1,channels,size,size] with 1 or 3 channels"
        raise ModelError(f"expected an input {wanted}, {found}; export it for one square picture at a time")
    size = about.size or next(iter(sides), None)
    if size is None or sides - {size}:
        raise UsageError(f"expected --size {next(iter(sides), 'with the side of the input')}, {found}")
    return size, shape[channels_at], "nhwc" if channels_at == 3 else "nchw"


def _proven(model: ModelFile) -> tuple[ModelCard, Probabilities]:
    """Return the card with the kind of the outputs and the answer to the built-in face, and this answer."""
    outputs = _outputs(open_graph(replace(model, card=replace(model.card, outputs=PROBABILITIES))))
    card = replace(model.card, outputs=kind_of_outputs(outputs))
    answer = open_graph(replace(model, card=card)).run(face_input(card.input_size))
    return replace(card, face_probabilities=tuple(round(float(value), 4) for value in answer)), answer


def open_graph(model: ModelFile) -> Backend:
    """Open a graph whose card is not in its file yet."""
    return backend_class(model.path)(model, 1)


def probes(size: int) -> list[Image]:
    """Return inputs that tell the kind of a model's outputs: the built-in face, mirrored, its negative, and grey."""
    face = face_input(size)
    return [face, np.ascontiguousarray(face[:, ::-1]), 255 - face, np.full_like(face, 128)]


def _outputs(backend: Backend) -> Floats:
    return np.stack([backend.run(pixels) for pixels in probes(backend.card.input_size)])


def _answers(model: ModelFile) -> str:
    """Return what the model answers to the built-in face by every scale."""

    def answer(scale: str) -> Probabilities:
        return _proven(replace(model, card=replace(model.card, input_scale=scale)))[1]

    scales = [scale for scale in SCALES if scale != IMAGENET or model.card.channels == 3]
    return answers_by_scale(model.card.labels, {scale: answer(scale) for scale in scales})


def answers_by_scale(labels: Sequence[str], answers: dict[str, Probabilities]) -> str:
    """Return as text what a model answers to the built-in face by each scale."""
    listed = "; ".join(f"{scale} {ranking(labels, answer, 1)}" for scale, answer in answers.items())
    return f"to the built-in face, which smiles, it answers by --scale {listed}"


def ranking(labels: Sequence[str], answer: Probabilities, count: int = 3) -> str:
    """Return the most probable labels as text."""
    return ", ".join(f"{labels[i]} {answer[i]:.0%}" for i in np.argsort(-answer, kind="stable")[:count])


if __name__ == "__main__":
    raise SystemExit(main())

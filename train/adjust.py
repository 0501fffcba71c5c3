"""Adjust a trained model without training: for rare emotions, and for probabilities that mean what they say.

python -m train.adjust --model runs/NAME/model.keras --soft-labels ferplus.csv          (only prints the table)
python -m train.adjust --model runs/NAME/model.keras --soft-labels ferplus.csv --tau 0.5 -o runs/NAME/adjusted.keras
python -m train.adjust --model runs/NAME/model.keras --offsets neutral=-0.5 -o runs/NAME/adjusted.keras
python -m train.adjust --model runs/NAME/model.keras --temperature 0.87 -o runs/NAME/calibrated.keras

Post-hoc logit adjustment (Menon et al. 2021): tau * log(prior) is subtracted from the logits, where the priors are the
emotions' frequencies among the training targets. Offsets are added to the logits instead: neutral=-0.5 makes neutral
rarer. Temperature scaling (Guo et al. 2017): the logits are divided by the temperature first; below 1, a model that is
too modest becomes surer. Only the last layer changes, so the model stays as large and as fast. The table is measured on
the held-out tenth of Training.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.arguments import ArgumentParser, positive
from edge.errors import ModelError, exit_status
from edge.labels import EMOTIONS
from edge.values import Probabilities
from train.data import DATA
from train.extras import require_keras
from train.held_out import load_held_out, print_caveat
from train.metrics import LEAST_PROBABILITY
from train.predict import classes_of, predict_keras
from train.progress import progress
from train.recipe import Recipe, recipe_of, write_recipe_of
from train.runs import check_new_model, load_model, save_model
from train.targets import emotion_frequencies, training_examples

if TYPE_CHECKING:
    import keras

TAUS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)  # rows of the table
TEMPERATURES = (0.8, 0.85, 0.9, 0.95, 1.05, 1.1, 1.2)  # likewise
LARGEST_TAU = 10.0

Offsets = npt.NDArray[np.float64]  # added to the logits, [7] in the order of EMOTIONS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.adjust", __doc__)
    parser.add_argument("--model", type=Path, required=True, help=".keras file made by train")
    parser.add_argument("--data", default=str(DATA), help="data set; its Training faces are used")
    parser.add_argument("--soft-labels", default="", metavar="CSV", help="table of votes for priors and table")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--tau", type=_tau, help="strength of the adjustment by priors; 1 is that of the paper")
    amount.add_argument("--offsets", type=parse_offsets, metavar="EMOTION=NUMBER,...", help="offsets of the logits")
    parser.add_argument("--temperature", type=positive, default=1.0, metavar="T", help="divisor of the logits")
    parser.add_argument("-o", "--out", type=Path, help=".keras file to write; without it, only the table is printed")
    args = parser.parse_args(argv)
    if (args.out is None) != (args.tau is None and args.offsets is None and args.temperature == 1):
        parser.error(
            "writing a model expects -o FILE and --tau, --offsets or --temperature; without all, a table comes"
        )
    return args


def _tau(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -LARGEST_TAU <= value <= LARGEST_TAU:
        raise argparse.ArgumentTypeError(f"expected a number from {-LARGEST_TAU:g} to {LARGEST_TAU:g}, found {text!r}")
    return value


def parse_offsets(text: str) -> Offsets:
    """Parse offsets such as neutral=-0.5,fear=0.3; other emotions get 0. Raises ArgumentTypeError."""
    offsets = np.zeros(len(EMOTIONS))
    for part in text.split(","):
        emotion, _, number = part.partition("=")
        try:
            offsets[EMOTIONS.index(emotion.strip())] = float(number)
        except ValueError:
            offsets[:] = np.nan
    if not np.isfinite(offsets).all():
        raise argparse.ArgumentTypeError(f"expected {EMOTIONS[0]}=NUMBER,... of {', '.join(EMOTIONS)}, found {text!r}")
    return offsets


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: adjust(**vars(args)))


def adjust(
    model: Path,
    data: str,
    soft_labels: str,
    tau: float | None,
    offsets: Offsets | None,
    temperature: float,
    out: Path | None,
) -> int:
    """Print the table of the model file; write the adjusted model to `out` if one is named."""
    if out is not None:
        check_new_model(out, [model])
    if (classes := classes_of(model)) != EMOTIONS:
        raise ModelError(f"expected a model of {', '.join(EMOTIONS)}, found one of {', '.join(classes)}")
    recipe = recipe_of(model)
    held_out = load_held_out(Path(data), recipe, EMOTIONS, soft_labels)
    require_keras()
    network = load_model(model)
    head = last_layer(network, model)
    examples = training_examples(held_out.training, Recipe(data, soft_labels=soft_labels))
    priors = emotion_frequencies(examples.targets)
    with progress() as stage:
        probabilities = predict_keras(network, held_out.faces.images, stage("predict", len(held_out.faces)))
    rows = [(f"tau {value:g}", prior_offsets(priors, value), 1.0) for value in TAUS]
    rows += [(f"temperature {value:g}", np.zeros(len(EMOTIONS)), value) for value in TEMPERATURES]
    if tau is not None:
        offsets = prior_offsets(priors, tau)
    chosen = np.zeros(len(EMOTIONS)) if offsets is None else offsets
    if out is not None:
        rows.append(("chosen", chosen, temperature))
    held_out.print_heading()
    for name, shift, divisor in rows:
        held_out.print_row(name, shift_logits(probabilities, shift, divisor))
    print_caveat([recipe], held_out.training, held_out.faces)
    if out is not None:
        adjust_logits(head, chosen, temperature)
        save_model(network, out)
        write_recipe_of(out, recipe)
        print(f"written: {out}")
    return 0


def prior_offsets(priors: Offsets, tau: float) -> Offsets:
    """Return -tau * log(prior), shifted to mean 0, which softmax does not see."""
    offsets = -tau * np.log(priors)
    return offsets - offsets.mean()


def shift_logits(probabilities: Probabilities, offsets: Offsets, temperature: float = 1.0) -> Probabilities:
    """Return softmax(logits / temperature + offsets) for probabilities softmax(logits), [n, 7]."""
    logits = np.log(np.maximum(probabilities, LEAST_PROBABILITY)) / temperature + offsets
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float32)


def last_layer(model: keras.Model, path: Path) -> keras.layers.Layer:
    """Return the dense softmax layer that ends the model; ModelError if it ends otherwise or has no bias."""
    layer = model.layers[-1]
    activation = getattr(getattr(layer, "activation", None), "__name__", "none")
    if getattr(layer, "bias", None) is None or activation != "softmax":
        raise ModelError(f"expected a model that ends in a dense softmax layer with bias, found {layer.name} in {path}")
    return layer


def adjust_logits(layer: keras.layers.Layer, offsets: Offsets, temperature: float = 1.0) -> None:
    """Divide the logits of a dense layer by the temperature, and add offsets [7]."""
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel / temperature, bias / temperature + offsets])


if __name__ == "__main__":
    raise SystemExit(main())

"""Do the faces come as fast as the network learns? Training, against its step on a batch that is always there.

python -m train.throughput --data data/fer2013
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.arguments import ArgumentParser, share, whole
from edge.errors import exit_status
from train.extras import require_keras
from train.progress import progress
from train.runs import Recipe


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.throughput", __doc__)
    parser.add_argument("--data", type=Path, default=Path("data/fer2013"), help="data set")
    parser.add_argument("--arch", default=Recipe.arch, help="network, as in python -m train")
    parser.add_argument("--size", type=whole(32, 1024), default=Recipe.size, help="input side in pixels")
    parser.add_argument("--batch", type=whole(1), default=Recipe.batch, help="faces a step")
    parser.add_argument("--mix", type=share, default=Recipe.mix, help="share of batches mixed by MixUp or CutMix")
    parser.add_argument("--steps", type=whole(2), default=20, help="steps a round")
    parser.add_argument("--rounds", type=whole(3), default=7, help="rounds of each, by turns")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: throughput(args))


def throughput(args: argparse.Namespace) -> int:
    """Print faces a second of both, and their ratio: medians over the rounds, with the lowest and the highest."""
    require_keras()
    import keras

    from train import data, fit
    from train.augment import Augmentation
    from train.batches import Batches

    class Stretch(keras.utils.PyDataset):
        """So many steps of the training's batches; or the first of them, again and again."""

        def __init__(self, fixed: bool) -> None:
            super().__init__(workers=batches.workers)
            self.fixed = batches[0] if fixed else None

        def __len__(self) -> int:
            return args.steps

        def __getitem__(self, index: int) -> Any:
            return self.fixed or batches[index % len(batches)]

    recipe = Recipe(str(args.data), arch=args.arch, size=args.size, weights="none", batch=args.batch, mix=args.mix)
    faces = data.load(args.data, data.SPLITS)
    learn, _ = data.train_val_split(faces, args.data)
    batches = Batches(learn, recipe, Augmentation())
    model = fit.new_model(recipe)
    fit.compile_model(model, recipe, keras.optimizers.AdamW(1e-4))
    model.fit(Stretch(fixed=True), verbose=0)  # traces the step
    rates: dict[bool, list[float]] = {False: [], True: []}
    with progress() as stage:
        advance = stage("rounds", 2 * args.rounds)
        for turn in range(args.rounds):
            for fixed in (False, True) if turn % 2 else (True, False):
                times: list[float] = []
                clock = keras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda batch, logs, times=times: times.append(time.perf_counter()),
                    on_train_end=lambda logs, times=times: times.append(time.perf_counter()),
                )
                model.fit(Stretch(fixed), verbose=0, shuffle=False, callbacks=[clock])
                rates[fixed].append(args.batch * (args.steps - 1) / (times[-1] - times[0]))  # from the first step's end
                advance()
    ratios = [real / fixed for real, fixed in zip(rates[False], rates[True], strict=True)]
    print(f"{args.arch} at {args.size} pixels, batches of {args.batch}, {keras.backend.backend()}")
    for name, values in (("training", rates[False]), ("one batch again and again", rates[True])):
        print(f"{name:<26} {np.median(values):8.0f} faces a second ({min(values):.0f} to {max(values):.0f})")
    print(f"{'ratio':<26} {np.median(ratios):8.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Measure whether data loading keeps up: training speed against its speed on one fixed batch.

python -m train.throughput --data data/fer2013
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.arguments import ArgumentParser, share, whole
from edge.errors import exit_status
from train.data import DATA, load, train_val_split
from train.extras import require_keras
from train.progress import progress
from train.recipe import Recipe


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m train.throughput", __doc__)
    parser.add_argument("--data", default=str(DATA), help="data set")
    parser.add_argument("--arch", default=Recipe.arch, help="network, as in python -m train")
    parser.add_argument("--size", type=whole(32, 1024), default=Recipe.size, help="input side in pixels")
    parser.add_argument("--batch-size", type=whole(1), default=Recipe.batch_size, help="faces per step")
    parser.add_argument("--mix", type=share, default=Recipe.mix, help="share of batches mixed by MixUp or CutMix")
    parser.add_argument("--steps", type=whole(2), default=20, help="steps per round")
    parser.add_argument("--rounds", type=whole(3), default=7, help="rounds of each, alternating")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    recipe = Recipe(args.data, arch=args.arch, size=args.size, weights="none", batch_size=args.batch_size, mix=args.mix)
    return exit_status(lambda: throughput(recipe, args.steps, args.rounds))


def throughput(recipe: Recipe, steps: int, rounds: int) -> int:
    """Print faces per second of both and their ratio: medians over the rounds, with minimum and maximum."""
    speeds, ratios = _measure(recipe, steps, rounds)
    print(f"{recipe.arch} at {recipe.size} pixels, batches of {recipe.batch_size}")
    for name, values in speeds.items():
        print(f"{name:<26} {np.median(values):8.0f} faces a second ({min(values):.0f} to {max(values):.0f})")
    print(f"{'ratio':<26} {np.median(ratios):8.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    return 0


def _measure(recipe: Recipe, steps: int, rounds: int) -> tuple[dict[str, list[float]], Sequence[float]]:
    """Return the faces per second of each round, of training and of one fixed batch, and their ratios."""
    path = Path(recipe.data)
    train, _ = train_val_split(load(path, ("train",)), path)
    recipe = replace(recipe, classes=train.classes)
    require_keras()
    import keras

    from train.augment import Augmentation
    from train.batches import Batches
    from train.fit import compile_model, new_model
    from train.targets import training_examples

    class Steps(keras.utils.PyDataset):
        """Yield a number of training batches, or the first of them again and again."""

        def __init__(self, fixed: bool) -> None:
            super().__init__(workers=batches.workers)
            self.fixed = batches[0] if fixed else None

        def __len__(self) -> int:
            return steps

        def __getitem__(self, index: int) -> Any:
            return self.fixed or batches[index % len(batches)]

    batches = Batches(training_examples(train, recipe), recipe, Augmentation())
    model = new_model(recipe)
    compile_model(model, recipe, keras.optimizers.AdamW(1e-4))
    model.fit(Steps(fixed=True), verbose=0)  # traces the step
    speeds: dict[bool, list[float]] = {False: [], True: []}
    with progress() as stage:
        advance = stage("rounds", 2 * rounds)
        for turn in range(rounds):
            for fixed in (False, True) if turn % 2 else (True, False):
                times: list[float] = []
                clock = keras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda batch, logs, times=times: times.append(time.perf_counter()),
                    on_train_end=lambda logs, times=times: times.append(time.perf_counter()),
                )
                model.fit(Steps(fixed), verbose=0, shuffle=False, callbacks=[clock])
                faces = recipe.batch_size * (steps - 1)  # from the end of the first step
                speeds[fixed].append(faces / (times[-1] - times[0]))
                advance()
    ratios = [training / fixed for training, fixed in zip(speeds[False], speeds[True], strict=True)]
    return {"training": speeds[False], "one fixed batch": speeds[True]}, ratios


if __name__ == "__main__":
    raise SystemExit(main())

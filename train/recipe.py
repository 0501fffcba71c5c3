"""Define the recipe of a run: everything that it depends on, besides the code and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PureWindowsPath
from typing import Any

from edge.errors import ModelError
from edge.files import write_json
from edge.labels import EMOTIONS
from edge.untrusted import parse_json, read_bounded
from train.data import FOLD_COUNT, FOLDS, HELD_OUT
from train.provenance import FER2013, FER2013_TERMS

AUTO = "auto"  # held-out or, for few faces, folds
MIXED = "mixed"  # of a mean of models whose epochs were chosen on different faces
VOTES = ", with annotators' votes as targets"
FER2013_LICENCE = "file: Apache-2.0; trained on FER-2013, whose pictures are for research use"
# The architectures of train.zoo, which needs Keras.
ARCHITECTURES = ("mobilenet_v2", "mobilenet", "resnet50_v2", "vgg16", "cnn")
OF_AVERAGE = "_of_average"  # ends the columns of the history that the averaged weights are measured in
# Old names of recipe fields, and their names now.
RENAMED = {
    "batch": "batch_size",
    "rate": "learning_rate",
    "final_rate": "final_learning_rate",
    "average": "ema",
    "symmetric": "reverse_ce",
}
# Fields of a recipe that are no arguments.
FOUND = ("classes", "data_set", "terms", "faces_sha256", "start", "taught_by")
ARCHITECTURE = ("arch", "size", "width", "head", "dense")  # fields that a model to start from decides


@dataclass(frozen=True)
class Recipe:
    """Hold the arguments of `python -m train`, whose --help explains each field, and what the run found (FOUND)."""

    data: str
    labels: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    validation: str = HELD_OUT  # the faces that the epoch is chosen on; see train.data.train_val_split
    select_by: str = "accuracy"
    drop_duplicates: bool = False
    arch: str = "mobilenet_v2"
    size: int = 96
    weights: str = "imagenet"
    width: float = 1.0
    head: str = "pooled"
    dense: int = 0
    epochs: int = 18
    head_epochs: int = 1
    freeze: str = ""
    batch_size: int = 64
    learning_rate: float = 1e-3
    final_learning_rate: float = 5e-5
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    reverse_ce: float = 0.0
    dropout: float = 0.3
    mix: float = 0.0
    balance: str = "none"
    balance_power: float = 0.5
    schedule: str = "cosine"
    warmup: float = 1.0
    patience: int = 0
    ema: float = 0.0
    soft_labels: str = ""
    votes: str = "labels"
    teachers: tuple[str, ...] = ()
    temperature: float = 2.0
    teacher_weight: float = 0.7
    tensorboard: bool = False
    seed: int = 0
    # What the run found. The defaults are those of runs before it was recorded.
    classes: tuple[str, ...] = EMOTIONS  # in the order of the model's outputs
    data_set: str = FER2013
    terms: str = FER2013_TERMS
    faces_sha256: str = ""  # of the training faces, the held-out ones included
    start: tuple[str, ...] = ()  # `training()` of each run before, in turn, that --weights stands for
    taught_by: tuple[str, ...] = ()  # the same of the teachers, and of what --weights was taught by

    @property
    def learns_votes(self) -> bool:
        """Return whether votes are the targets in place of labels."""
        return bool(self.soft_labels) and self.votes == "labels"

    @property
    def selection_column(self) -> str:
        """Return the column of the history that the best epoch is chosen by."""
        return f"val_{self.select_by}{OF_AVERAGE if self.ema else ''}"

    def selection_score(self, row: dict[str, float]) -> float:
        """Return how good an epoch is by its row of the history: higher is better, for losses too."""
        value = row[self.selection_column]
        return -value if self.select_by == "loss" else value

    def best(self, history: Sequence[dict[str, float]]) -> dict[str, float]:
        """Return the epoch that is kept: the best on the validation faces or, with folds, the last."""
        return history[-1] if self.validation == FOLDS else max(history, key=self.selection_score)

    def may_know(self, faces_sha256: str) -> bool:
        """Return whether the model, or what it started from, may have learned faces held out of those of this hash."""
        return self.validation != HELD_OUT or bool(self.start) or self.faces_sha256 != faces_sha256

    def training(self) -> str:
        """Return what a card says of this training when another one starts from its model: data, targets and terms."""
        return f"{self.data_set}{self._targets()} ({self.terms})"

    def _targets(self) -> str:
        return VOTES if self.learns_votes else ""

    def description(self) -> str:
        """Return what a model card says of the training: data, targets, and the faces that the epoch is chosen on."""
        is_fer2013 = self.data_set == FER2013
        split = "Training" if is_fer2013 else "train"
        chosen = {
            "public": f"epoch chosen on {'PublicTest' if is_fer2013 else 'its validation faces'}",
            FOLDS: f"last epoch, all faces; accuracy by {FOLD_COUNT} stratified folds",
            MIXED: "mean of models whose epochs were chosen in different ways",
        }.get(self.validation, "epoch chosen on a held-out tenth of it")
        before = f"; started from {' and '.join(self.start)}" if self.start else ""
        before += f"; taught by models of {' and '.join(self.taught_by)}" if self.taught_by else ""
        return f"{self.data_set}, split {split}{self._targets()}; {chosen}{before}"

    def licence(self) -> str:
        """Return what a model card says of the terms: of the file and of all data that it learned from."""
        trainings = tuple(dict.fromkeys((self.training(), *self.start, *self.taught_by)))
        if all(training.endswith(f"({FER2013_TERMS})") for training in trainings):
            return FER2013_LICENCE
        return f"file: its author's to state; trained on {', '.join(trainings)}"


def write_recipe(folder: Path, recipe: Recipe) -> None:
    """Write the recipe of a run, by which it is resumed."""
    write_json(folder / "recipe.json", asdict(recipe))


def write_recipe_of(model: Path, recipe: Recipe | None) -> None:
    """Write the recipe of a model that is no run's own, next to it; see recipe_of. None: it has none."""
    path = model.with_suffix(".recipe.json")
    if recipe is None:
        path.unlink(missing_ok=True)  # of another model of this name
    else:
        write_json(path, asdict(recipe))


def read_recipe(folder: Path) -> Recipe:
    """Read the recipe of a run; ModelError if it is missing or damaged."""
    return _read_recipe(recipe_file(folder))


def recipe_file(folder: Path) -> Path:
    """Return the file of a run's recipe: its own or, of a run that has only begun with its folds, the first one's."""
    own, fold = folder / "recipe.json", folder / "fold-1" / "recipe.json"
    return fold if fold.is_file() and not own.is_file() else own


def recipe_of(model: Path) -> Recipe | None:
    """Read the recipe that a model was trained by; None if there is none next to it.

    For NAME.keras that is NAME.recipe.json (a published model, or one made of others) or recipe.json (a run folder).
    """
    for path in (model.with_suffix(".recipe.json"), model.parent / "recipe.json"):
        if path.is_file():
            return _read_recipe(path)
    return None


def describe_training(model: Path) -> str:
    """Return what a model card says of the model's training.

    A model without a recipe next to it is taken for one whose epoch was chosen on PublicTest, as all once were.
    """
    recipe = recipe_of(model) or Recipe(data="", validation="public")
    metrics = model.parent / "metrics.json"
    if recipe.validation != FOLDS or not metrics.is_file():
        return recipe.description()
    values = parse_json(read_bounded(metrics))
    if PureWindowsPath(values["model"]).name != model.name:  # another one in its folder, as an adjusted one
        return recipe.description()
    return f"{recipe.description()}: {values['accuracy']:.1%} of {values['faces']}"


def model_classes(model: Path, outputs: int) -> tuple[str, ...]:
    """Return the classes of a Keras model with this many outputs, from the recipe next to it.

    Without a recipe, seven outputs are the seven emotions. Raises ModelError if nothing tells the classes.
    """
    recipe = recipe_of(model)
    classes = recipe.classes if recipe else EMOTIONS
    if len(classes) != outputs:
        raise ModelError(
            f"expected a model of {', '.join(classes)} in {model}, found {outputs} outputs; its own recipe.json "
            "must be next to it"
        )
    return classes


def _read_recipe(path: Path) -> Recipe:
    try:
        values = _upgraded(parse_json(read_bounded(path)), path.parent)
        if unknown := set(values) - {field.name for field in fields(Recipe)}:
            raise ValueError(f"unknown fields {', '.join(sorted(unknown))}")
        names: dict[str, Any] = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return Recipe(**{**values, **names})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"expected a readable {path.name} of a run in {path.parent}: {error}") from error


def _upgraded(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Rename the fields of old recipes, and add what was fixed when they were written."""
    values = {RENAMED.get(name, name): value for name, value in values.items()}
    if "validation" not in values:  # PublicTest was used where there was one; only finished runs recorded it
        metrics = folder / "metrics.json"
        split = parse_json(read_bounded(metrics)).get("split") if metrics.is_file() else "public"
        values |= {"validation": split, "balance_power": 1.0}
    return values

"""Read and write run folders: recipe, history, checkpoints and models.

recipe.json           everything that a run depends on, the faces that its epoch is chosen on included
history.csv           one row per epoch; the number of rows is the number of finished epochs
checkpoint-NNN.keras  model and optimizer after epoch NNN, for --resume
checkpoint-NNN.npz    exponential moving average of the weights, with --ema
model.keras           the best epoch by the recipe's selection; of the averaged weights with --ema
metrics.json          written at the end: a run without it is unfinished
curves, confusion     plots as .png, .svg and .pdf
results, classes      tables as .md, .tex and .csv
"""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.backend import way_out
from edge.errors import ModelError, UsageError
from edge.files import atomic_write, check_writable
from edge.values import Floats

if TYPE_CHECKING:
    import keras

RUNS = Path("runs")
SHIPPED = Path(__file__).resolve().parents[1] / "models" / "emotion.keras"  # what edge/models was made from
# What to do with a Keras model that was not made here.
ELSEWHERE = (
    "a model from elsewhere is exported first: python -m export.tflite --int8 --model {path} --labels a,b,... "
    "--scale 0..1"
)
CONVERTED = (
    "save it again as a whole and with layers of Keras alone or, where its code is, convert it to .tflite or .onnx and "
    "give that file a card: edge-emotion adopt"
)
SCALE, BACKBONE = "scale", "backbone"  # layers of every model: pixels to -1..1, then the (pretrained) network
# Config keys that newer versions of Keras write and 3.8 refuses; all are at their defaults here.
NEWER_KEYS = {
    "input_axes",
    "output_axes",
    "quantization_config",
    "ragged",
    "renorm",
    "renorm_clipping",
    "renorm_momentum",
}


HDF5 = b"\x89HDF\r\n\x1a\n"  # how such a file begins
# What Keras writes beside a reason: configurations of layers, arguments of calls, nodes and colours.
UNWANTED = re.compile(
    r"^config=.*?$|Full object config:.*?$|Arguments received by [\s\S]*|\{\{.*?\}\}|\x1b?\[\d*m", re.MULTILINE
)


def is_run(folder: Path) -> bool:
    """Return whether the folder holds a training run with at least one finished epoch."""
    return (folder / "recipe.json").exists() and (folder / "model.keras").exists()


def read_history(folder: Path) -> list[dict[str, float]]:
    """Read the finished epochs of a run, one row each; none for a new run. ModelError if the file is damaged."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (ValueError, TypeError, csv.Error) as error:
        raise ModelError(f"damaged history {path}: {error}; start a new run") from error


def write_history(folder: Path, rows: list[dict[str, float]]) -> None:
    """Write one row per finished epoch."""
    with atomic_write(folder / "history.csv") as tmp, tmp.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def checkpoint(folder: Path, epoch: int, suffix: str = ".keras") -> Path:
    """Return the path of the checkpoint after this many epochs."""
    return folder / f"checkpoint-{epoch:03d}{suffix}"


def write_arrays(path: Path, arrays: list[Floats]) -> None:
    """Write arrays to an .npz file, in their order."""
    with atomic_write(path) as tmp:
        np.savez(tmp, *arrays)


def read_arrays(path: Path) -> list[Floats]:
    """Read the arrays of write_arrays, in their order; none if there is no such file."""
    if not path.exists():
        return []
    with np.load(path) as file:
        return [file[name] for name in file.files]


def save_model(model: keras.Model, path: Path) -> None:
    """Save a model as a .keras file that every allowed Keras opens."""
    with atomic_write(path) as tmp:
        model.save(tmp)
        drop_newer_keys(tmp)


def check_new_model(out: Path, sources: Sequence[Path]) -> None:
    """Raise UsageError unless `out` names a .keras file other than these; OutputError if it cannot be written."""
    if out.suffix != ".keras" or out.resolve() in [source.resolve() for source in sources]:
        raise UsageError(f"expected -o with a .keras file other than the models, found {out}")
    check_writable(out)


def drop_newer_keys(path: Path) -> None:
    """Remove from the config of a .keras file what Keras 3.8 does not know; the weights stay byte for byte.

    Keras writes every option, also those at their default; an older version refuses a key that it does not know.
    """
    with zipfile.ZipFile(path) as archive:
        contents = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in contents:
            if info.filename == "config.json":
                content = json.dumps(_without_newer_keys(json.loads(content))).encode()
            archive.writestr(info, content)


def input_size(path: Path) -> int | None:
    """Return the side of a .keras file's input in pixels, without Keras; None if the file does not tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        return int(config["config"]["layers"][0]["config"]["batch_shape"][1])
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError):
        return None


def _without_newer_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_newer_keys(item) for key, item in value.items() if key not in NEWER_KEYS}
    if isinstance(value, list):
        return [_without_newer_keys(item) for item in value]
    return value


def check_model_file(path: Path) -> None:
    """Raise ModelError unless this is a .keras file; to be called before Keras is imported, which takes long."""
    if path.suffix in (".h5", ".hdf5") or (path / "saved_model.pb").is_file():
        raise ModelError(f"expected a .keras file, found {path}; {ELSEWHERE.format(path=path)}")
    if path.suffix != ".keras":
        raise ModelError(f"expected a .keras file, found {path}; {way_out(path)}")
    if not path.is_file():
        raise ModelError(f"no model at {path}; train one with: python -m train --data data/fer2013")
    if not zipfile.is_zipfile(path):
        hint = "copy it again, it is damaged"
        if _is_hdf5(path):
            hint = f"it is HDF5, rename it to {path.with_suffix('.h5').name}"
        raise ModelError(f"expected a .keras file, which is a zip archive, found none in {path}; {hint}")


def is_weights_file(path: Path) -> bool:
    """Return whether a file is one of those that Keras reads the weights of a network without top from."""
    return path.suffix in (".h5", ".hdf5") and path.is_file() and _is_hdf5(path)


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def load_model(path: Path, compiled: bool = False) -> keras.Model:
    """Open a .keras file that maps [n, size, size, 3] to [n, classes]; `compiled` restores its optimizer.

    Raises ModelError for any other file.
    """
    check_model_file(path)
    import keras

    try:
        model = keras.models.load_model(path, compile=compiled)
    except Exception as error:  # zipfile, h5py, json and Keras each raise their own
        found = f"cannot open {path}{written_by(path)}: {reason_of(error)}"
        raise ModelError(f"expected a Keras model, {found}; {CONVERTED}") from error
    _check_layout(model, path)
    return model


def _check_layout(model: keras.Model, path: Path) -> None:
    """Raise ModelError where the model was not made by train."""
    inputs, outputs = model.input_shape, model.output_shape
    square = isinstance(inputs, tuple) and len(inputs) == 4 and inputs[1] == inputs[2] is not None and inputs[3] == 3
    classifies = isinstance(outputs, tuple) and len(outputs) == 2 and (outputs[1] or 0) > 1
    if not square or not classifies:
        raise ModelError(
            f"expected square RGB inputs and one output a class in {path}, found {inputs} and {outputs}; "
            f"{ELSEWHERE.format(path=path)}"
        )
    if not {SCALE, BACKBONE} <= {layer.name for layer in model.layers}:
        raise ModelError(f"expected a model made by train, found another in {path}; {ELSEWHERE.format(path=path)}")


def written_by(path: Path) -> str:
    """Return which version of Keras wrote a .keras file and which is here, where these differ and can be told."""
    import keras

    try:
        with zipfile.ZipFile(path) as archive:
            version = json.loads(archive.read("metadata.json"))["keras_version"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return ""
    return "" if version == keras.__version__ else f" of Keras {version} (here is {keras.__version__})"


def reason_of(error: Exception) -> str:
    """Return the whole innermost reason of an error of Keras in one line, without what it repeats of the model."""
    text = re.sub(UNWANTED, "", str(error).rpartition("Exception encountered: ")[2])
    return " ".join(text.split()).rstrip(". ") or type(error).__name__


def newest_run() -> Path | None:
    """Return the folder of the run that finished last, or None."""
    finished = [file for file in RUNS.glob("*/metrics.json") if is_run(file.parent)]
    finished.sort(key=lambda file: file.stat().st_mtime)
    return finished[-1].parent if finished else None


def newest_model() -> Path:
    """Return model.keras of the run that finished last or, if there is none, the shipped model."""
    run = newest_run()
    if run is not None:
        return run / "model.keras"
    if not SHIPPED.is_file():
        raise ModelError(f"no finished run in {RUNS}/; name a model with --model, or train one with: python -m train")
    return SHIPPED.relative_to(Path.cwd()) if SHIPPED.is_relative_to(Path.cwd()) else SHIPPED

"""Open a Keras classifier of faces that was made elsewhere, and wrap it as a model of this project.

The wrapped model takes RGB pixels of 0..255 and gives probabilities: channels, scaling and, where it lacks one, a
softmax are added. Inside, models within models are taken apart, so that the export can fold and correct their layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.adopt import Description, answers_by_scale, describe, probes, ranking
from edge.backend import way_out
from edge.backends.tensors import IMAGENET, SCALES, Signature, Tensor, kind_of_outputs, to_probabilities
from edge.card import LOGITS, PROBABILITIES, ModelCard
from edge.errors import ModelError, UsageError
from edge.quiet import quiet
from edge.values import Floats
from export.keras2 import opened_by_keras_3
from train.runs import BACKBONE, CONVERTED, SCALE, check_model_file, reason_of, written_by

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")
UNUSED = ("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization")
HALF = ("float16", "bfloat16")
TOLERANCE, HALF_TOLERANCE = 1e-3, 2e-2  # of an output, relative and absolute; the second with 16 bits
SERVING = ("serving_default", "serve")  # names of a SavedModel's function


def open_foreign(path: Path, about: Description) -> tuple[keras.Model, ModelCard]:
    """Return the wrapped model, [n, size, size, 3] pixels to probabilities [n, labels], and its card; say what it is.

    Raises ModelError for a file that cannot be opened and UsageError where a description is missing or does not fit.
    """
    import keras

    with quiet():
        model = _load(path, about)
    signature = Signature(_tensors(model.inputs), _tensors(model.outputs), "float32")
    card = describe(signature, about, str(path))
    core = _core(model, card)
    if about.scale is None:
        scales = [scale for scale in SCALES if scale != IMAGENET or card.channels == 3]
        answers = {scale: to_probabilities(*_outputs(core, card, scale))[0] for scale in scales}
        raise UsageError(f"expected --scale of {path} ({signature}); {answers_by_scale(card.labels, answers)}")
    outputs, kind = _outputs(core, card, about.scale)
    print(f"{path}: {signature}{_added(kind)}")
    print(f"the built-in face, which smiles: {ranking(card.labels, to_probabilities(outputs, kind)[0])}")
    pixels = keras.Input((card.input_size, card.input_size, 3), name="pixels")
    probabilities = _as_probabilities(core(_scaling(card, about.scale)(pixels)), kind, len(card.labels))
    return keras.Model(pixels, probabilities, name=model.name), card


def _load(path: Path, about: Description) -> keras.Model:
    if (path / "saved_model.pb").is_file():
        return _load_saved(path, about)
    if not path.exists():
        raise ModelError(f"no model at {path}; check --model")
    if path.suffix == ".keras":
        check_model_file(path)
    if path.suffix not in SUFFIXES or not path.is_file():
        kinds = ", ".join(SUFFIXES)
        raise ModelError(f"expected a model {kinds} or a folder with saved_model.pb, found {path}; {way_out(path)}")
    import keras

    try:
        with opened_by_keras_3(path) as file:
            return keras.models.load_model(file, compile=False)
    except Exception as error:  # zipfile, h5py, json and Keras each raise their own
        found = f"cannot open {path}{written_by(path)}: {reason_of(error)}"
        raise ModelError(f"expected a Keras model, {found}; {CONVERTED}") from error


def _load_saved(path: Path, about: Description) -> keras.Model:
    """Return a SavedModel's function as a model of one layer."""
    import keras
    import tensorflow as tf

    try:
        functions = tf.saved_model.load(str(path)).signatures
        name = next((name for name in SERVING if name in functions), next(iter(functions), ""))
        specs = list(functions[name].structured_input_signature[1].values()) if name else []
        if len(specs) != 1 or specs[0].shape[0] is not None or not (name in SERVING or len(functions) == 1):
            inputs = " and ".join(str(Tensor.of(spec.shape, spec.dtype.name)) for spec in specs)
            raise ValueError(f"found {' and '.join(functions) or 'no function'} {inputs and f'with {inputs}'}".strip())
        layer = keras.layers.TFSMLayer(str(path), call_endpoint=name)
        inputs = keras.Input([side or about.size for side in specs[0].shape.as_list()[1:]])
        outputs = layer(keras.ops.cast(inputs, specs[0].dtype.name))
    except Exception as error:  # TensorFlow's errors are of many kinds
        raise ModelError(
            f"expected a SavedModel with a function {' or '.join(SERVING)} of one input for any number of faces, "
            f"cannot use {path}: {reason_of(error)}; {CONVERTED}"
        ) from error
    return keras.Model(inputs, list(outputs.values()) if isinstance(outputs, dict) else outputs, name=path.name)


def _tensors(tensors: Sequence[Any]) -> tuple[Tensor, ...]:
    """Describe tensors without their number of faces: it is one in the exported file, whatever it was in training."""
    return tuple(Tensor.of((None, *tensor.shape[1:]), "float32") for tensor in tensors)


def _core(model: keras.Model, card: ModelCard) -> keras.Model:
    """Return the network itself, float32 [n, size, size, channels] to its outputs, called as BACKBONE.

    Models within it are taken apart; where that fails, or a layer is used twice, it stays one layer.
    """
    import keras

    inputs = keras.Input(_probes(card, "0..255").shape[1:])
    is_half = any(layer.compute_dtype in HALF for layer in model._flatten_layers())
    tolerance = HALF_TOLERANCE if is_half else TOLERANCE
    try:
        with quiet():
            core = keras.Model(inputs, _taken_apart(model, inputs), name=BACKBONE)
            for layer in core.layers:
                _ = layer.input, layer.output  # AttributeError or ValueError if it is used twice
            faces = _probes(card, "0..255")
            if np.allclose(core(faces), _only(model(faces, training=False)), tolerance, tolerance):
                return core
    except Exception:  # layers of others may do anything
        pass
    inputs = keras.Input(inputs.shape[1:])
    return keras.Model(inputs, _only(model(inputs, training=False)), name=BACKBONE)


def _taken_apart(model: keras.Model, inputs: Any) -> Any:
    """Return the outputs of copies of a model's layers, without models in it and layers for training alone."""
    import keras

    copies: dict[int, tuple[Any, Any]] = {}
    names: set[str] = set()

    def copy(layer: Any) -> Any:
        if isinstance(layer, keras.Model) or not isinstance(layer, keras.layers.Layer):
            return layer
        if id(layer) not in copies:
            config = layer.get_config()
            while config["name"] in names:
                config["name"] += "_"
            names.add(config["name"])
            if layer.compute_dtype in HALF:
                config["dtype"] = "float32"  # no other kernels are on the processors that run it
            copies[id(layer)] = (layer, type(layer).from_config(config))
        return copies[id(layer)][1]

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Sequential):
            return _chained(layer.layers, copy, call, args[0])
        if isinstance(layer, keras.Model):
            return layer._run_through_graph(args[0], operation_fn=copy, call_fn=call)
        kind = type(layer).__name__
        if kind in UNUSED or (kind.startswith("Random") and isinstance(layer, keras.layers.Layer)):
            return args[0]
        return layer(*args, **{name: value for name, value in kwargs.items() if name not in ("training", "mask")})

    outputs = _only(call(model, inputs))
    for layer, own in copies.values():
        own.set_weights(layer.get_weights())
    return outputs


def _chained(layers: Sequence[Any], copy: Callable[[Any], Any], call: Callable[..., Any], values: Any) -> Any:
    for layer in layers:
        values = call(copy(layer), values)
    return values


def _only(outputs: Any) -> Any:
    """Return the only output of a model that may give a list or a dictionary."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def _probes(card: ModelCard, scale: str) -> Floats:
    """Return the inputs that tell what a model's outputs are, float32 [n, ...] in the model's layout."""
    mean, deviation = SCALES[scale]
    pixels = np.stack(probes(card.input_size))
    values = np.asarray((pixels - mean) / deviation, np.float32)[..., : card.channels]
    return values if card.input_layout == "nhwc" else np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def _outputs(core: keras.Model, card: ModelCard, scale: str) -> tuple[Floats, str]:
    """Return the outputs for the probes, [n, labels], and what they are."""
    try:
        with quiet():
            outputs = np.asarray(core(_probes(card, scale)), np.float32).reshape(-1, len(card.labels))
    except Exception as error:  # TensorFlow's errors are of many kinds
        reason = f"{card.architecture} fails: {reason_of(error)}"
        raise ModelError(f"expected a model that runs on this processor, {reason}; {CONVERTED}") from error
    return outputs, kind_of_outputs(outputs)


def _added(kind: str) -> str:
    if kind == PROBABILITIES:
        return ", which are probabilities"
    added = "a softmax was added" if kind == LOGITS else "each is divided by their sum"
    return f", which are {kind}: {added}"


def _scaling(card: ModelCard, scale: str) -> keras.Model:
    """Return a model that scales RGB pixels of 0..255, and brings their channels to the network's number and place."""
    import keras

    mean, deviation = (np.atleast_1d(value) for value in SCALES[scale])
    pixels = keras.Input((card.input_size, card.input_size, 3))
    factors = (1 / deviation).tolist()
    offsets = (-mean / deviation).tolist()
    values = pixels[..., : card.channels]
    if card.channels == 1 or len(factors) == 1:
        factors, offsets = factors[0], offsets[0]
    values = keras.layers.Rescaling(factors, offset=offsets)(values)
    if card.input_layout == "nchw":
        values = keras.layers.Permute((3, 1, 2))(values)
    return keras.Model(pixels, values, name=SCALE)


def _as_probabilities(outputs: Any, kind: str, labels: int) -> Any:
    import keras

    if len(outputs.shape) != 2:
        outputs = keras.layers.Reshape((labels,))(outputs)
    if kind == LOGITS:
        return keras.layers.Softmax(name="emotion")(outputs)
    if kind == PROBABILITIES:
        return outputs
    return outputs / keras.ops.sum(outputs, axis=-1, keepdims=True)

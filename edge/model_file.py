"""Read a model file once: separate the graph from its card, and check the graph before a runtime sees it.

In a .tflite file the card is `card.json` in the zip archive appended to the flatbuffer, next to `labels.txt`. The
standard TFLite metadata list both as associated files (see export.flatbuffer). In an .onnx file it is the entry `card`
of metadata_props.

The card holds the sha256 of the graph: of the flatbuffer, or of the .onnx file without its metadata_props. A zip
archive has checksums of its own; in an .onnx file, the entry `card_sha256` is the card's. A runtime gets the bytes that
were hashed, never the file. The hash finds damage, not fraud: who can write the file can write the hash.
"""

from __future__ import annotations

import functools
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.card import ModelCard
from edge.errors import ModelError
from edge.untrusted import MAX_JSON, printable, read_bounded

CARD_FILE = "card.json"
LABELS_FILE = "labels.txt"
MAX_FILE = 1_000_000_000  # bytes of a model file
MAX_ARCHIVE = 4 * MAX_JSON  # bytes of the zip archive after the flatbuffer
MAX_FIELDS = 10_000  # of a protobuf message
METADATA_PROPS = 14  # field of ONNX's ModelProto, a list of StringStringEntryProto (1: key, 2: value)
CARD_KEY = "card"
CARD_SHA256_KEY = "card_sha256"
LABELS_KEY = "labels"


@dataclass(frozen=True)
class ModelFile:
    """Hold what was read from a model file: its graph, as bytes for the runtime, and its card."""

    path: Path
    graph: bytes
    card: ModelCard


def read_model_file(path: Path) -> ModelFile:
    """Read a .tflite or .onnx file and check its graph against the hash in its card.

    Warns on stderr where the card, of an earlier export, has no hash. Raises ModelError for a missing file, a file
    without a card, and a damaged one.
    """
    content = read_model_bytes(path)
    split = _split_onnx if path.suffix == ".onnx" else _split_tflite
    try:
        graph, text = split(content)
    except ModelError:
        raise
    except Exception as error:  # zipfile alone raises ten kinds for what others wrote
        found = "it has none" if isinstance(error, KeyError) else str(error) or type(error).__name__
        reason = printable(found).partition("\n")[0]
        raise ModelError(
            f"expected a model with a card inside, cannot read one in {path} ({reason}); make it with export, or give "
            f"a model of another tool its card: edge-emotion adopt {path} --labels ... -o OUT{path.suffix}"
        ) from error
    card = ModelCard.from_json(text, path)
    if not card.graph_sha256:
        _warn_of_missing_hash(path)
    elif hashlib.sha256(graph).hexdigest() != card.graph_sha256:
        raise ModelError(f"damaged model {path}: its graph is not the one that its card was written for; copy it again")
    return ModelFile(path, graph, card)


def read_model_bytes(path: Path) -> bytes:
    """Return a model file's bytes. Raises ModelError if it is missing, or larger than any model."""
    if not path.is_file():
        raise ModelError(f"no model at {path}; check the path")
    try:
        return read_bounded(path, MAX_FILE)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read the model {path}: {error}; check the path") from error


def bare_graph(path: Path, content: bytes) -> bytes:
    """Return the graph of a file of another tool. Raises ModelError if the file has a card of its own already."""
    split, bare = (_split_onnx, _without_properties) if path.suffix == ".onnx" else (_split_tflite, _without_archive)
    try:
        split(content)
    except Exception:  # zipfile alone raises ten kinds for what others wrote
        try:
            graph = bare(content)
        except ValueError as error:
            raise ModelError(f"expected a model, cannot read {path}: {error}; export it again") from error
        return graph if isinstance(graph, bytes) else graph[0]
    raise ModelError(f"expected a model of another tool, found one with a card: {path}; run it as it is")


def file_bytes(path: Path, graph: bytes, card: ModelCard) -> bytes:
    """Return a file of the format that `path` names, with a graph and its card."""
    return onnx_bytes(graph, card) if path.suffix == ".onnx" else tflite_bytes(graph, card)


@functools.cache  # once a file
def _warn_of_missing_hash(path: Path) -> None:
    print(
        f"warning: {printable(str(path))} has no hash of its graph, damage to it would not be noticed; export it again",
        file=sys.stderr,
    )


def tflite_bytes(graph: bytes, card: ModelCard) -> bytes:
    """Return a .tflite file: the flatbuffer, then a zip archive of labels.txt and the card with its hash.

    `graph` may be a whole file, whose archive is replaced.
    """
    graph = _without_archive(graph)
    file = io.BytesIO()
    file.write(graph)
    with zipfile.ZipFile(file, "a") as archive:
        texts = {LABELS_FILE: "\n".join(card.labels) + "\n", CARD_FILE: _with_hash(card, graph).to_json()}
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a time stamp
    return file.getvalue()


def onnx_bytes(graph: bytes, card: ModelCard) -> bytes:
    """Return an .onnx file: the model, then metadata_props with the card and its hash.

    `graph` may be a whole file, whose metadata_props are replaced.
    """
    graph, _ = _without_properties(graph)
    text = _with_hash(card, graph).to_json()
    properties = {CARD_KEY: text, CARD_SHA256_KEY: _sha256(text), LABELS_KEY: ",".join(card.labels)}
    entries = (_field(1, key.encode()) + _field(2, value.encode()) for key, value in properties.items())
    return graph + b"".join(_field(METADATA_PROPS, entry) for entry in entries)


def _with_hash(card: ModelCard, graph: bytes) -> ModelCard:
    return replace(card, graph_sha256=hashlib.sha256(graph).hexdigest())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _split_tflite(content: bytes) -> tuple[bytes, bytes]:
    """Return the flatbuffer and the card's text. Only the end of the file is read as a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content[-MAX_ARCHIVE:])) as archive:
        entry = archive.getinfo(CARD_FILE)
        if entry.file_size > MAX_JSON or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"expected {CARD_FILE} stored or deflated, at most {MAX_JSON:,} bytes")
        with archive.open(entry) as file:
            text = file.read(MAX_JSON + 1)  # also where the size in the archive's directory is a lie
    if len(text) != entry.file_size:
        raise ValueError(f"expected {entry.file_size:,} bytes of {CARD_FILE}")
    return _without_archive(content), text


def _without_archive(content: bytes) -> bytes:
    """Return the flatbuffer of a .tflite file, which ends where the first entry of the zip archive starts, if any."""
    tail = content[-MAX_ARCHIVE:]
    if not zipfile.is_zipfile(io.BytesIO(tail)):
        return content
    with zipfile.ZipFile(io.BytesIO(tail)) as archive:
        start = min((item.header_offset for item in archive.infolist()), default=archive.start_dir)
    if start < 0:
        raise ValueError(f"expected a zip archive of at most {MAX_ARCHIVE:,} bytes")
    return content[: len(content) - len(tail) + start]


def _split_onnx(content: bytes) -> tuple[bytes, bytes]:
    """Return the model without its metadata_props, and the card's text."""
    graph, properties = _without_properties(content)
    text = properties[CARD_KEY.encode()]
    sealed = properties.get(CARD_SHA256_KEY.encode())
    if sealed != _sha256(text.decode()).encode() and (sealed is not None or b'"graph_sha256"' in text):
        raise ValueError("its card is damaged")
    return graph, text


def _without_properties(content: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return an ONNX model without its metadata_props, and those."""
    graph = []
    properties: dict[bytes, bytes] = {}
    view = memoryview(content)
    for number, start, payload, end in _fields(view):
        if number == METADATA_PROPS:
            inside = view[payload:end]
            entry = {key: bytes(inside[first:last]) for key, _, first, last in _fields(inside)}
            properties[entry.get(1, b"")] = entry.get(2, b"")
        else:
            graph.append(view[start:end])
    return b"".join(graph), properties


def _fields(message: memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Yield each field of a protobuf message: its number, and where it, its payload and the next field start.

    Format: protobuf.dev/programming-guides/encoding. Raises ValueError for what is none.
    """
    position = 0
    for _ in range(MAX_FIELDS):
        if position == len(message):
            return
        start = position
        tag, position = _varint(message, position)
        kind = tag & 7
        if kind == 0:
            _, end = _varint(message, position)
        elif kind == 2:
            length, position = _varint(message, position)
            end = position + length
        elif kind in (1, 5):
            end = position + (8 if kind == 1 else 4)
        else:
            raise ValueError("expected a protobuf message")
        if end > len(message):
            raise ValueError("expected a whole protobuf message, found a part of one")
        yield tag >> 3, start, position, end
        position = end
    raise ValueError(f"expected at most {MAX_FIELDS} fields in a protobuf message")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return the number that starts at a position, of 7 bits a byte, and where it ends."""
    value = 0
    for index, byte in enumerate(message[position : position + 10]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, position + index + 1
    raise ValueError("expected a number in a protobuf message")


def _field(number: int, payload: bytes) -> bytes:
    """Return a field of a protobuf message that holds bytes."""
    return _encoded(number << 3 | 2) + _encoded(len(payload)) + payload


def _encoded(value: int) -> bytes:
    """Return a number as a varint."""
    low = []
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])

"""Specify that a damaged or hostile model file is refused in one line, before a runtime sees it.

`make fuzz` runs the long forms, and prints the counts.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest

from edge.backend import SHIPPED
from edge.card import ModelCard
from edge.errors import ModelError
from edge.labels import EMOTIONS
from edge.model_file import (
    CARD_FILE,
    MAX_ARCHIVE,
    ModelFile,
    onnx_bytes,
    read_model_file,
    tflite_bytes,
)

CARD = ModelCard(EMOTIONS, input_size=80, face_size=48, precision="int8", architecture="mobilenet_v2")
GRAPH = bytes(range(256))
ONNX_GRAPH = b"\x08\x08" + b"\x3a\x80\x02" + GRAPH + b"\x42\x02\x10\x11"  # ir_version, graph, opset_import
WRITERS = {".tflite": (tflite_bytes, GRAPH), ".onnx": (onnx_bytes, ONNX_GRAPH)}
DIRECTORY = struct.Struct("<4s4B4HL2L5H2L")  # an entry of a zip archive's central directory


def write(folder: Path, content: bytes, suffix: str = ".tflite") -> Path:
    path = folder / f"model{suffix}"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_gives_back_graph_and_card(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    writer, graph = WRITERS[suffix]
    content = writer(graph, CARD)
    model = read_model_file(write(tmp_path, content, suffix))
    assert model.graph == graph
    assert model.card.labels == EMOTIONS
    assert len(model.card.graph_sha256) == 64
    assert writer(content, CARD) == content, "a second card replaces the first"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", WRITERS)
def test_an_earlier_export_is_read_with_one_warning(
    tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without a hash still runs; damage to its graph would not be noticed."""
    path = write(tmp_path, without_hash(suffix), suffix)
    for _ in range(2):
        assert read_model_file(path).card == CARD
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert "export it again" in line


def without_hash(suffix: str) -> bytes:
    """Return a file as exports before the hash wrote it."""
    values = {name: value for name, value in asdict(CARD).items() if name not in ("graph_sha256", "face_probabilities")}
    card = json.dumps(values).encode()
    if suffix == ".tflite":
        return archived(card)
    entry = b"\x0a\x04card\x12" + varint(len(card)) + card
    return ONNX_GRAPH + b"\x72" + varint(len(entry)) + entry


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128, value >> 7]) if value > 127 else bytes([value])


def archived(card: bytes, compression: int = zipfile.ZIP_STORED, name: str = CARD_FILE) -> bytes:
    """Return the graph followed by a zip archive with this entry."""
    file = io.BytesIO()
    file.write(GRAPH)
    with zipfile.ZipFile(file, "a", compression) as archive:
        archive.writestr(name, card)
    return file.getvalue()


def with_directory(content: bytes, field: int, value: int, local: int | None = None) -> bytes:
    """Return the file with another value in the directory's entry and, at an offset, in the entry's local header."""
    start = content.index(b"PK\x01\x02")
    values = list(DIRECTORY.unpack_from(content, start))
    values[field] = value
    changed = bytearray(content)
    DIRECTORY.pack_into(changed, start, *values)
    if local is not None:
        struct.pack_into("<H", changed, len(GRAPH) + local, value)
    return bytes(changed)


STORED = archived(CARD.to_json().encode())
DEFLATED = archived(CARD.to_json().encode(), zipfile.ZIP_DEFLATED)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: archived(b" " * 20_000_000, zipfile.ZIP_DEFLATED),
    "a bomb that lies about its size": lambda: with_directory(
        archived(b" " * 20_000_000, zipfile.ZIP_DEFLATED), 12, 1000
    ),
    "bzip2": lambda: archived(CARD.to_json().encode(), zipfile.ZIP_BZIP2),
    "lzma": lambda: archived(CARD.to_json().encode(), zipfile.ZIP_LZMA),
    "an unknown compression": lambda: with_directory(STORED, 6, 99, local=8),
    "a zip version of the future": lambda: with_directory(STORED, 3, 99),
    "encrypted": lambda: with_directory(STORED, 5, 1, local=6),
    "broken deflation": lambda: DEFLATED.replace(DEFLATED[len(GRAPH) + 60 : len(GRAPH) + 80], bytes(20)),
    "cut": lambda: STORED[:-30],
    "cut inside": lambda: DEFLATED[: len(GRAPH) + 80] + DEFLATED[len(GRAPH) + 140 :],
    "deep JSON": lambda: archived(b"[" * 900_000),
    "a directory of a million entries": lambda: STORED[: len(GRAPH)] + many_entries(100_000),
    "another file": lambda: archived(b"{}", name="../../card.json"),
    "nothing": lambda: b"",
    "no archive": lambda: b"TFL3" * 100,
}


def many_entries(count: int) -> bytes:
    """Return an archive whose directory names one entry many times."""
    entry = DIRECTORY.pack(b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0) + CARD_FILE.encode()
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entry) * count, 256, 0)
    return entry * count + end


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_a_model_error(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, HOSTILE[name]())
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"expected a model with a card|damaged card") as raised:
            read_model_file(path)
        assert tracemalloc.get_traced_memory()[1] < 40e6, "memory is bounded, however much the archive claims"
    finally:
        tracemalloc.stop()
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",  # a number without its bytes
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # longer than any file
        b"\x0b" * 10,  # a group, which ONNX has not
        b"\x08\x01" * 20_000,
        b"\x72\x03\x0a\x09a",  # an entry that claims more than there is
        b"\xff" * 100,
    ],
    ids=lambda content: content[:6].hex() or "nothing",
)
def test_what_is_no_onnx_file_is_a_model_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match="expected a model with a card"):
        read_model_file(write(tmp_path, content, ".onnx"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "loop.tflite").symlink_to(tmp_path / "loop.tflite")
    os.mkfifo(tmp_path / "pipe.tflite")
    (tmp_path / "folder.tflite").mkdir()
    for name in ("loop", "pipe", "folder", "missing"):
        with pytest.raises(ModelError, match="no model at"):
            read_model_file(tmp_path / f"{name}.tflite")


def test_an_archive_has_a_largest_size(tmp_path: Path) -> None:
    path = write(tmp_path, archived(bytes(MAX_ARCHIVE), name="big"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(CARD_FILE, CARD.to_json())
    with pytest.raises(ModelError, match="zip archive"):
        read_model_file(path)


LONG = pytest.mark.fuzz


@pytest.mark.parametrize("step", [pytest.param(29, id="short"), pytest.param(1, id="long", marks=LONG)])
@pytest.mark.parametrize("suffix", WRITERS)
def test_no_flipped_bit_of_a_file_passes(tmp_path: Path, suffix: str, step: int) -> None:
    """Flip the bits of a small file one by one: it is refused, or nothing that counts has changed."""
    writer, graph = WRITERS[suffix]
    content = writer(graph, CARD)
    damaged = (flipped(content, bit) for bit in range(0, 8 * len(content), step))
    counts = outcomes(tmp_path, content, damaged, suffix)
    print(f"{suffix}, every {step}. bit of {8 * len(content)}: {dict(counts)}")


@pytest.mark.parametrize("count", [pytest.param(60, id="short"), pytest.param(2300, id="long", marks=LONG)])
def test_no_flipped_bit_of_the_shipped_model_passes(tmp_path: Path, count: int) -> None:
    content = SHIPPED.read_bytes()
    random = Random(0)
    counts = outcomes(tmp_path, content, (flipped(content, random.randrange(8 * len(content))) for _ in range(count)))
    print(f"{SHIPPED.name}, {count} bits: {dict(counts)}")


@pytest.mark.parametrize("count", [pytest.param(150, id="short"), pytest.param(5000, id="long", marks=LONG)])
@pytest.mark.parametrize("suffix", WRITERS)
def test_no_mangled_file_passes(tmp_path: Path, suffix: str, count: int) -> None:
    """Cut, repeat, overwrite and splice a small file at random."""
    writer, graph = WRITERS[suffix]
    content = writer(graph, CARD)
    random = Random(1)
    counts = outcomes(tmp_path, content, (mangled(content, random) for _ in range(count)), suffix)
    print(f"{suffix}, {count} mangled files: {dict(counts)}")


def outcomes(folder: Path, content: bytes, damaged: Iterator[bytes], suffix: str = ".tflite") -> Counter[str]:
    """Count what becomes of damaged files; fail for any that passes with another graph or card."""
    sound = read_model_file(write(folder, content, suffix))
    counts: Counter[str] = Counter()
    for number, other in enumerate(damaged):
        try:
            model = read_model_file(write(folder, other, suffix))
        except ModelError:
            counts["refused"] += 1
        else:
            assert same(model, sound), f"damage {number} passed"
            counts["harmless"] += 1
    return counts


def same(model: ModelFile, sound: ModelFile) -> bool:
    return model.graph == sound.graph and model.card == sound.card


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def mangled(content: bytes, random: Random) -> bytes:
    first, last = sorted(random.randrange(len(content)) for _ in range(2))
    kind = random.randrange(5)
    if kind == 0:
        return content[:first]
    if kind == 1:
        return content[:first] + content[last:]
    if kind == 2:
        return content[:last] + content[first:]
    if kind == 3:
        return content[:first] + random.randbytes(min(last - first, 8)) + content[first + min(last - first, 8) :]
    return content[first:] + content[:first]

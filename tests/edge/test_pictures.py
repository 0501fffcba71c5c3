"""Test reading and recording the pictures that people have: every format, upright, whole, of any name."""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import OutputError, SourceError
from edge.files import atomic_write
from edge.opencv import cv2, translate_errors
from edge.picture import UNSAFE_JPEG_2000, decode_picture, encode_picture, read_picture
from edge.picture_header import look, picture_format
from edge.quiet import native_lines
from edge.source import open_source
from edge.sources.demo import PHOTOGRAPH
from edge.values import Image
from tests.conftest import shared
from tests.edge.command import run
from tests.edge.samples import make_video

NOT_UTF8 = os.fsdecode(b"caf\xe9")


def blocks() -> Image:
    """Return a picture of four grey blocks: how it lies is seen by their order."""
    return np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((16, 24), np.uint8))[..., None].repeat(3, axis=2)


def noise() -> Image:
    """Return a picture whose JPEG has many bytes."""
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)


def encoded(suffix: str, image: Image | None = None) -> bytes:
    return encode_picture(blocks() if image is None else image, suffix)


def exif(orientation: int) -> bytes:
    return struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 274, 3, 1, orientation, 0, 0)


def tiff(image: Image, orientation: int = 1, next_page: int = 0, preview: int = 0) -> bytes:
    """Return an uncompressed TIFF with the tags that cameras write."""
    height, width = image.shape[:2]
    rows = [(254, 4, preview), (256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 2)]
    rows += [(273, 4, 8 + 2 + 12 * 11 + 4), (274, 3, orientation), (277, 3, 3), (278, 4, height), (279, 4, image.size)]
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in rows)
    directory = struct.pack("<4sIH", b"II*\0", 8, len(rows)) + tags + struct.pack("<I", next_page)
    return directory + image[..., ::-1].tobytes()


def turned_jpeg(orientation: int) -> bytes:
    segment = b"Exif\0\0" + exif(orientation)
    data = encoded(".jpg")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


def turned_png(orientation: int) -> bytes:
    data = encoded(".png")
    chunk = b"eXIf" + exif(orientation)
    return data[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def turned_webp(orientation: int) -> bytes:
    height, width = blocks().shape[:2]
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks = [(b"VP8X", b"\x08\0\0\0" + sizes), (b"EXIF", exif(orientation))]
    first, last = (name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    body = b"WEBP" + first + encoded(".webp")[12:] + last
    return b"RIFF" + struct.pack("<I", len(body)) + body


def turned_by_pillow(orientation: int, kind: str) -> bytes:
    """Return an AVIF or HEIC file, whose own boxes say how it lies."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra `heic`")
    from PIL import Image as PillowImage

    pillow_heif.register_heif_opener()
    tags = PillowImage.Exif()
    tags[274] = orientation
    file = BytesIO()
    PillowImage.fromarray(blocks()).save(file, kind, exif=tags.tobytes(), quality=90)
    return file.getvalue()


UPRIGHT: dict[int, Callable[[Image], Image]] = {  # EXIF 2.32, tag 274
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: np.rot90,
}
TURNED: dict[str, Callable[[int], bytes]] = {
    "JPEG": turned_jpeg,
    "PNG": turned_png,
    "WebP": turned_webp,
    "TIFF": lambda orientation: tiff(blocks(), orientation),
    "AVIF": lambda orientation: turned_by_pillow(orientation, "AVIF"),
    "HEIC": lambda orientation: turned_by_pillow(orientation, "HEIF"),
}


@pytest.mark.parametrize("kind", TURNED)
def test_every_format_is_upright(kind: str) -> None:
    for orientation, turn in UPRIGHT.items():
        data = TURNED[kind](orientation)
        assert picture_format(data) == kind
        image = decode_picture(data, "x")
        assert image.shape == turn(blocks()).shape, orientation
        assert np.abs(image.astype(int) - turn(blocks())).mean() < 8, orientation


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".jp2", ".ppm"])
def test_half_a_file_is_no_picture(suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    if suffix == ".jp2" and cv2.__version__.startswith(UNSAFE_JPEG_2000):
        pytest.skip("this OpenCV is given no JPEG 2000")
    data = encoded(suffix, noise())
    assert decode_picture(data, "x").shape == (240, 320, 3)
    with pytest.raises(SourceError, match=r"x.* (cut off|damaged)"):
        decode_picture(data[: len(data) // 2], "x")
    assert capfd.readouterr() == ("", ""), "native libraries must stay silent"


def test_a_jpeg_with_a_hole_is_damaged_and_one_with_more_after_its_end_is_sound(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = encoded(".jpg", noise())
    middle = len(data) // 2
    for damaged in (data[:middle] + data[middle + 5000 :], data[:middle] + bytes(9000) + data[middle + 9000 :]):
        with pytest.raises(SourceError, match="x is damaged"):
            decode_picture(damaged, "x")
    preview = b"\xff\xe2" + struct.pack(">H", len(encoded(".jpg")) + 2) + encoded(".jpg")
    for sound in (data + data, data + bytes(99), data[:2] + preview + data[2:], data[:-2] + b"\0\0" + data[-2:]):
        assert (decode_picture(sound, "x") == decode_picture(data, "x")).all()
    assert capfd.readouterr() == ("", "")


def test_a_line_of_another_decoder_condemns_no_sound_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera's thread may decode a broken picture meanwhile, whose message comes on the same stderr."""
    decode, calls = cv2.imdecode, []

    def disturbed(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            os.write(2, b"Corrupt JPEG data: premature end of data segment\n")
        return decode(*args)

    monkeypatch.setattr(cv2, "imdecode", disturbed)
    assert decode_picture(encoded(".jpg"), "x").shape[2] == 3
    assert len(calls) == 2


def claim(data: bytes, place: int, form: str) -> bytes:
    """Return the file with 30,000 x 30,000 pixels in its header."""
    size = struct.pack(form, 30000, 30000)
    return data[:place] + size + data[place + len(size) :]


@pytest.mark.parametrize(
    "data",
    [
        claim(encoded(".jpg"), encoded(".jpg").index(b"\xff\xc0") + 5, ">HH"),
        claim(encoded(".png"), 16, ">II"),
        claim(encoded(".bmp"), 18, "<ii"),
        tiff(blocks()).replace(struct.pack("<HHII", 256, 4, 1, 48), struct.pack("<HHII", 256, 4, 1, 10**7)),
    ],
    ids=["JPEG", "PNG", "BMP", "TIFF"],
)
def test_a_header_that_claims_too_many_pixels_takes_no_memory(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"million pixels|MAX_IMAGE_PIXELS"):
        decode_picture(data, "x")


@pytest.mark.parametrize(
    ("data", "pixel"),
    [
        (encoded(".png", np.full((8, 6), 40000, np.uint16)), 156),  # 16 bits
        (encoded(".png", np.full((8, 6), 90, np.uint8)), 90),
        (encoded(".png", np.full((8, 6, 4), 90, np.uint8)), 90),  # half transparent
        (encoded(".pgm", np.full((8, 6), 90, np.uint8)), 90),
        (b"P6 6 8 255 " + bytes([90]) * 144, 90),
    ],
    ids=["16 bits", "grey", "transparent", "PGM", "PPM"],
)
def test_other_depths_and_colours_become_bgr(data: bytes, pixel: int) -> None:
    image = decode_picture(data, "x")
    assert (image == np.full((8, 6, 3), pixel)).all()
    assert decode_picture(data, "x", grey=True).shape == (8, 6)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", None),
        (b"BMW and Audi\n", None),
        (b"P1 is a name\n", None),
        (b"\0\0\0\x18ftypisom\0\0\2\0isom", None),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
    ],
)
def test_first_bytes_tell_the_format(data: bytes, expected: str | None) -> None:
    assert picture_format(data) == expected


def test_no_bytes_crash_the_look_at_the_header() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WebP", "TIFF"):
        data = np.frombuffer(TURNED[kind](6), np.uint8)
        for length in range(0, len(data), 7):
            look(data[:length].tobytes())
        for _ in range(100):
            changed = data.copy()
            changed[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            look(changed.tobytes())


def test_a_file_too_large_for_a_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "film.jpg").open("wb") as file:
        file.truncate(10**9)  # takes no room on the disk
    with pytest.raises(SourceError, match=r"at most 800 MB.*film\.jpg"):
        read_picture(tmp_path / "film.jpg")


def test_heic_without_its_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceError, match=r"a\.jpg.*HEIC.*pip install '\.\[heic\]'"):
        decode_picture(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a.jpg")


@pytest.mark.parametrize("version", ["4.10.0", "4.11.0"])
def test_jpeg_2000_never_reaches_an_opencv_that_it_can_attack(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(".jp2")
    monkeypatch.setattr(cv2, "__version__", version)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SourceError, match=r"JPEG 2000.*pip install '\.\[heic\]'"):
        decode_picture(data, "a.jp2")


def test_a_raw_file_of_a_camera_is_not_read_as_its_preview() -> None:
    with pytest.raises(SourceError, match="raw"):
        decode_picture(tiff(blocks(), preview=1), "x")


def test_of_several_pictures_the_first_is_read_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scan"
    file.write_bytes(tiff(blocks(), next_page=8))
    with open_source(str(file)) as source:
        assert [frame.name for frame in source] == ["scan"]
    assert "scan holds several pictures: its first is read" in capsys.readouterr().err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with pictures and other things; the working folder is the one above."""
    folder = tmp_path / "some [2024]"
    folder.mkdir()
    for name, suffix in {"A.JPG": ".jpg", "b.mp4": ".png", "c": ".bmp", "d.TIF": ".tif", "100%d.jpe": ".jpg"}.items():
        (folder / name).write_bytes(encoded(suffix))
    for name in ("._A.JPG", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / name).write_bytes(b"\0\x05\x16\7 of the system")
    make_video(folder / "clip.avi", 3)
    (folder / "notes.txt").write_text("BM")
    (folder / "old").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("text", ["some [2024]", "some [2024]/*", "'some [2024]/*'", "{folder}"])
def test_content_decides_what_is_a_picture_and_what_is_left_out_is_named(folder: Path, text: str) -> None:
    with open_source(text.format(folder=folder)) as source:
        assert [frame.name for frame in source] == ["100%d.jpe", "A.JPG", "b.mp4", "c", "d.TIF"]
        assert source.skipped == 0
        assert "2 that are no pictures (clip.avi, notes.txt)" in str(source.notice)
        assert ("1 folder" in str(source.notice)) is ("*" not in text)


@pytest.mark.parametrize(("name", "source"), [("photo.mp4", "a.png"), ("2024-05-01T12:30:00.jpg", "clip.avi")])
def test_a_single_file_is_opened_by_its_content(folder: Path, name: str, source: str) -> None:
    (folder / "a.png").write_bytes(encoded(".png"))
    (folder.parent / name).write_bytes((folder / source).read_bytes())
    with open_source(name) as opened:
        assert opened.independent is (source == "a.png")
        assert len(list(opened)) == (1 if source == "a.png" else 3)


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a folder whose name is not UTF-8, with a picture and a video; the working folder is the one above."""
    folder = tmp_path / NOT_UTF8
    try:
        folder.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system takes UTF-8 alone")
    monkeypatch.chdir(tmp_path)
    (folder / f"{NOT_UTF8}.jpg").write_bytes(PHOTOGRAPH.read_bytes())
    make_video(tmp_path / "clip.avi", 3).rename(folder / f"{NOT_UTF8}.avi")
    return NOT_UTF8


def test_names_need_not_be_utf8(odd: str) -> None:
    for text in (odd, f"{odd}/*.jpg", f"{odd}/{odd}.jpg"):
        assert [frame.name for frame in open_source(text)] == [f"{odd}.jpg"], text
    assert len(list(open_source(f"{odd}/{odd}.avi"))) == 3
    outputs = ["--record", f"{odd}2", "--events", "e.jsonl", "--stats", f"{odd}.json"]
    done = run(odd, "--no-display", *outputs, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert r"caf\xe9.jpg: happy" in done.stdout
    assert json.loads(Path("e.jsonl").read_text(encoding="utf-8"))["file"] == r"caf\xe9.jpg"
    assert [item.name for item in Path(f"{odd}2").iterdir()] == [f"{odd}.jpg"]
    assert Path(f"{odd}.json").is_file()


def test_one_bad_picture_never_ends_a_batch(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    data = PHOTOGRAPH.read_bytes()
    for name in ("a.jpg", "z.jpg"):
        (folder / name).write_bytes(data)
    bad = {
        "b_half.jpg": data[: len(data) // 2],
        "c_huge.png": claim(encoded(".png"), 16, ">II"),
        "d_wide.jpg": encoded(".png", np.zeros((40, 66000, 3), np.uint8)),  # more than a JPEG can be recorded with
        f"e_{'long' * 62}.pgm": encoded(".pgm", np.zeros((40, 40), np.uint8)),  # recorded with a longer name
        "f\nempty.jpg": b"",
    }
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    done = run(folder, "--no-display", "--record", tmp_path / "out", "--stats", tmp_path / "s.json")
    assert done.returncode == 2
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["skipped"] * 5
    assert all(name.split("\n")[0].split(".")[0] in done.stderr for name in bad)
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == ["a.jpg", "z.jpg"]
    assert json.loads((tmp_path / "s.json").read_text())["skipped"] == 5


def test_opencv_errors_become_one_line() -> None:
    with (
        pytest.raises(OutputError, match=r"too wide: OpenCV .* reports .*SHRT_MAX"),
        translate_errors(OutputError, "too wide"),
    ):
        cv2.warpAffine(np.zeros((1, 40000), np.uint8), np.eye(2, 3), (8, 8))


def test_a_file_with_the_longest_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ж" * 125 + ".jpg")  # 254 bytes
    with atomic_write(path) as tmp:
        tmp.write_bytes(b"1")
    assert path.read_bytes() == b"1"
    with pytest.raises(OutputError, match="cannot write"), atomic_write(path.with_suffix(".longer")):
        pass


def test_messages_of_other_threads_are_not_taken_for_those_of_libraries(capfd: pytest.CaptureFixture[str]) -> None:
    before = os.fstat(2).st_ino
    with native_lines() as lines:
        os.write(2, b"libpng error: bad\nskipped: a.jpg\n")
    assert lines == ["libpng error: bad"]
    threads = [threading.Thread(target=lambda: [decode_picture(encoded(".jpg"), "x") for _ in range(20)]) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.fstat(2).st_ino == before
    assert capfd.readouterr().err == "skipped: a.jpg\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("face.tif", (1280, 1024)),
        ("rotated.jpg", (1280, 1024)),
        ("rotated.mpo", (1280, 1024)),
        ("half.jpg", "cut off"),
        ("hole.jpg", "damaged"),
        ("huge.png", "40000 x 40000"),
        ("._rotated.jpg", "cannot decode"),
    ],
)
def test_files_from_the_field(name: str, expected: tuple[int, int] | str) -> None:
    file = shared(f"cases/pictures/{name}")
    if isinstance(expected, str):
        with pytest.raises(SourceError, match=expected):
            read_picture(file)
    else:
        assert read_picture(file).shape[:2] == expected

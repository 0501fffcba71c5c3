"""Test videos: time comes from the frames, pixels are square, and a file behind an address is read once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.source import open_source
from edge.sources.frame_times import FrameTimes, plausible_fps
from tests.conftest import shared

TIMES_S = [0.0, 0.04, 0.08, 0.5, 0.54, 2.0, 2.04, 2.08]  # of a clip whose rate varies


def encode(
    path: Path, times_s: list[float] | None = None, ratio: int = 1, codec: str = "libx264", frames: int = 8
) -> Path:
    """Write a clip of 320x240 whose frame i has the grey level 20 * i, at 25 FPS or at these times."""
    av = pytest.importorskip("av", reason="needs PyAV, the extra `record`, to make the clip")
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)
        if times_s:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 20 * (i % 12), np.uint8), format="bgr24")
            if times_s:
                picture.pts, picture.time_base = round(1000 * times_s[i]), Fraction(1, 1000)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("start_s", [0.0, 5.0])
def test_frames_have_the_times_that_the_file_gives_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, start_s: float
) -> None:
    path = encode(tmp_path / f"clip{suffix}", [start_s + time_s for time_s in TIMES_S])
    with open_source(str(path)) as source:
        frames = list(source)
        assert 20 < source.fps < 30
    assert [frame.time_s for frame in frames] == pytest.approx(TIMES_S, abs=0.002)
    assert [round(frame.image.mean() / 20) for frame in frames] == list(range(8))
    assert capsys.readouterr().err == ""


def test_a_file_without_timestamps_is_counted_at_its_rate_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_source(str(encode(tmp_path / "raw.h264"))) as source:
        assert [frame.time_s for frame in source] == pytest.approx([i / 25 for i in range(8)])
    assert capsys.readouterr().err.count("times are counted at 25 FPS") == 1


@pytest.mark.parametrize(
    ("name", "frames", "seconds", "fps"),
    [
        ("browser_like.webm", 216, 7.193, 30.3),
        ("lapse.mp4", 75, 148, 0.5),
        ("vfr.mp4", 75, 10.8, 25),
        ("vfr.webm", 75, 10.8, 25),
    ],
)
def test_clips_from_the_field_last_as_long_as_in_a_player(
    capsys: pytest.CaptureFixture[str], name: str, frames: int, seconds: float, fps: float
) -> None:
    with open_source(str(shared(f"cases/videos/{name}"))) as source:
        times_s = [frame.time_s for frame in source]
        assert source.fps == pytest.approx(fps, rel=0.01)
    assert (len(times_s), times_s[-1]) == (frames, pytest.approx(seconds, abs=0.01))
    assert capsys.readouterr().err == "", "a sound file is not called damaged"


@pytest.mark.parametrize(
    ("timestamps_s", "expected_s", "estimated", "reason"),
    [
        ([5.0, 5.1, 5.5], [0, 0.1, 0.5], 0, "from 0"),
        ([None, None, None], [0, 0.1, 0.2], 2, "no timestamps"),
        ([None, 0.3, 0.3, 0.3, 0.9], [0, 0.3, 0.4, 0.5, 0.9], 2, "they stop, and go on"),
        ([None, 0.3, None, 0.6], [0, 0.3, 0.4, 0.6], 1, "one is absent"),
        ([None, 9.0, 1.0, 1.2], [0, 9.0, 9.1, 9.3], 0, "two files in one: the second counts on"),
        ([None, 9.0, None, 1.0, 1.2], [0, 9.0, 9.1, 9.2, 9.4], 1, "the same, and its first has none"),
        ([None, 9.0, 36000.0, 36000.2], [0, 9.0, 9.1, 9.3], 0, "the second is of the evening"),
        ([None, 9.0, 5e8, 9.2, 9.4], [0, 9.0, 9.1, 9.2, 9.4], 0, "one is damaged"),
        ([None, 1800.0, 3600.0], [0, 1800.0, 3600.0], 0, "a time-lapse"),
    ],
)
def test_times_always_advance(
    timestamps_s: list[float | None], expected_s: list[float], estimated: int, reason: str
) -> None:
    times = FrameTimes(fps=10)
    assert [times.next(timestamp_s) for timestamp_s in timestamps_s] == pytest.approx(expected_s), reason
    assert times.estimated == estimated


@pytest.mark.parametrize(
    ("header_fps", "timestamps_s", "expected", "reason"),
    [
        (29.97, [0, 0.033, 0.067], 29.97, "the header is exact, milliseconds are not"),
        (1000, [0, 0.033, 0.073, 0.106], 30.3, "a browser's header"),
        (1000, [0, None, None], 30, "neither is believable"),
        (0.5, [0, 2, 4], 0.5, "a time-lapse"),
        (7, [0, 0.04, 0.08, 0.5], 25, "an average of a rate that varies"),
        (240, [0], 240, "slow motion"),
        (float("nan"), [], 30, "no number"),
    ],
)
def test_frame_rate_is_believable(
    header_fps: float, timestamps_s: list[float | None], expected: float, reason: str
) -> None:
    assert plausible_fps(header_fps, timestamps_s) == pytest.approx(expected, rel=0.001), reason


def test_pixels_become_square(tmp_path: Path) -> None:
    with open_source(str(encode(tmp_path / "wide.mp4", ratio=2, frames=2))) as source:
        assert [frame.image.shape for frame in source] == [(240, 640, 3)] * 2


def test_a_turned_clip_is_upright_and_its_pixels_are_square(tmp_path: Path) -> None:
    path = encode(tmp_path / "turned.mp4", ratio=2, frames=2)
    upright = bytes.fromhex("00010000 00000000 00000000 00000000 00010000")  # the matrix of the track's header
    turned = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000")
    data = path.read_bytes()
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(upright) :])
    with open_source(str(path)) as source:
        assert [frame.image.shape for frame in source] == [(640, 240, 3)] * 2


@pytest.mark.parametrize(("suffix", "options"), [(".mkv", {}), (".mp4", {"movflags": "faststart"}), (".avi", {})])
def test_a_cut_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, options: dict[str, str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    path = tmp_path / f"clip{suffix}"
    av = pytest.importorskip("av", reason="needs PyAV, the extra `record`, to make the clip")
    with av.open(str(path), "w", options=options) as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuvj420p"
        for _ in range(60):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")))
        file.mux(stream.encode(None))
    assert len(list(open_source(str(path)))) == 60
    assert capsys.readouterr().err == ""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    count = len(list(open_source(str(path))))
    assert 10 < count < 50
    assert f"gave {count} of the 60 frames" in capsys.readouterr().err


def test_a_trimmed_clip_is_not_called_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Read an MP4 whose first half is not to be shown, as phones trim: the file keeps these frames."""
    path = encode(tmp_path / "trimmed.mp4", [-0.8 + 0.04 * i for i in range(40)], frames=40)
    with open_source(str(path)) as source:
        assert len(list(source)) == 20
    assert capsys.readouterr().err == ""


class FileHandler(SimpleHTTPRequestHandler):
    """Serve files; with `gives_parts`, also a range of their bytes."""

    gives_parts = False
    requests: list[str]

    def log_message(self, *_: Any) -> None:
        type(self).requests.append(f"{self.command} {self.headers.get('Range')}")

    def do_GET(self) -> None:
        if not self.gives_parts:
            return super().do_GET()
        data = Path(self.translate_path(self.path)).read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start:])
        return None


@pytest.fixture
def serve_files(tmp_path: Path) -> Iterator[Callable[[bool], str]]:
    """Serve tmp_path over HTTP; return the URL of the folder."""
    servers = []

    def serve(gives_parts: bool) -> str:
        handler = type("Handler", (FileHandler,), {"gives_parts": gives_parts, "requests": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("gives_parts", [False, True])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_file_behind_an_address_gives_every_frame_once(
    tmp_path: Path, serve_files: Callable[[bool], str], gives_parts: bool, suffix: str
) -> None:
    encode(tmp_path / f"clip{suffix}", TIMES_S, codec="libvpx" if suffix == ".webm" else "libx264")
    with open_source(f"{serve_files(gives_parts)}/clip{suffix}?token=1") as source:
        assert not source.live
        assert source.name.endswith("?token=***")
        assert [frame.time_s for frame in source] == pytest.approx(TIMES_S, abs=0.002)


def test_a_playlist_of_a_live_stream_is_no_file(tmp_path: Path, serve_files: Callable[[bool], str]) -> None:
    encode(tmp_path / "part.ts", frames=60)
    (tmp_path / "live.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.4,\npart.ts\n")
    with open_source(f"{serve_files(False)}/live.m3u8") as source:
        assert source.live

"""Specify how a run ends: within 2 s of a signal in every state, in order, and never with a traceback or an abort."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.opencv import cv2
from edge.sources.demo import demo_images
from tests.conftest import ROOT
from tests.edge.command import HEADLESS

LIMIT_S = 2.0
SLACK_S = float(os.environ.get("SLOW_MACHINE_S", 2.0))  # for a machine that is busy with other things
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def jpegs(count: int) -> Iterator[bytes]:
    for image in demo_images(count):
        yield cv2.imencode(".jpg", image)[1].tobytes()


def parts(count: int) -> Iterator[bytes]:
    for data in jpegs(count):
        yield b"--frame\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


def drip(data: bytes) -> Iterator[bytes]:
    for byte in data:
        time.sleep(0.1)
        yield bytes([byte])


def silence(seconds: float = 60) -> Iterator[bytes]:
    time.sleep(seconds)
    yield b""


SERVERS: dict[str, tuple[str, Callable[[], Iterator[Iterator[bytes]]]]] = {
    "never answers": ("http", lambda: iter([silence()])),
    "drips its answer": ("http", lambda: iter([drip(HEAD)])),
    "drips its pictures": ("http", lambda: iter([iter([HEAD]), parts(40), drip(b"x" * 1000)])),
    "falls silent": ("http", lambda: iter([iter([HEAD]), parts(40), silence()])),
    "is gone": ("http", lambda: iter([iter([HEAD]), parts(40)])),
    "never answers FFmpeg": ("tcp", lambda: iter([silence()])),
    "falls silent under FFmpeg": ("tcp", lambda: iter([jpegs(200), silence()])),
    "drips under FFmpeg": ("tcp", lambda: iter([jpegs(200), drip(b"\xff" * 1000)])),
}


@pytest.fixture
def serve() -> Iterator[Callable[[str], str]]:
    """Answer each connection as a row of SERVERS says; return the URL. After the first one, `is gone` is."""
    with contextlib.ExitStack() as stack:

        def start(name: str) -> str:
            scheme, script = SERVERS[name]
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def answer(connection: socket.socket) -> None:
                with connection, contextlib.suppress(OSError):
                    for pieces in script():
                        for piece in pieces:
                            connection.sendall(piece)

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
                        if name == "is gone":
                            server.close()

            threading.Thread(target=accept, daemon=True).start()
            return f"{scheme}://127.0.0.1:{server.getsockname()[1]}"

        yield start


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a clip of 3000 small frames, which takes some seconds to read."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    image = next(demo_images(1))
    for _ in range(3000):
        writer.write(cv2.resize(image, (160, 120)))
    writer.release()
    return path


@contextlib.contextmanager
def started(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start the command; kill it at the end."""
    command = [sys.executable, str(ROOT / "edge/run.py"), *map(str, arguments), "--no-display"]
    process = subprocess.Popen(
        command, cwd=folder, env=HEADLESS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def end(process: subprocess.Popen[str], number: int) -> tuple[int, str]:
    """Send a signal; return the exit status and what was said. Fail after LIMIT_S."""
    start_s = time.monotonic()
    process.send_signal(number)
    status = process.wait(LIMIT_S + SLACK_S)
    print(f"ended after {time.monotonic() - start_s:.2f} s with {status}")
    assert process.stderr
    stderr = process.stderr.read()
    assert "Traceback" not in stderr
    assert "terminate" not in stderr
    assert "Fatal" not in stderr
    return status, stderr


def wait_for(is_ready: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not is_ready():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("never answers", signal.SIGINT),
        ("drips its answer", signal.SIGTERM),
        ("drips its pictures", signal.SIGHUP),
        ("is gone", signal.SIGQUIT),
        ("never answers FFmpeg", signal.SIGINT),
        ("drips under FFmpeg", signal.SIGTERM),
        ("falls silent under FFmpeg", signal.SIGINT),
        ("falls silent", signal.SIGTERM),
    ],
)
def test_a_signal_ends_a_run_on_a_bad_stream(
    tmp_path: Path, serve: Callable[[str], str], name: str, number: signal.Signals
) -> None:
    events = tmp_path / "events"
    at_start = name.startswith(("never", "drips its answer"))
    with started(tmp_path, serve(name), "--events", events, "--stats", tmp_path / "stats") as process:
        if at_start:
            time.sleep(3)
        else:
            wait_for(lambda: lines(events) > 3 and "trouble" in events.read_text().splitlines()[-1])
        status, stderr = end(process, number)
    assert status == (128 + number if at_start else 0), stderr
    if not at_start:
        assert all(json.loads(line) for line in events.read_text().splitlines())
        assert json.loads((tmp_path / "stats").read_text())["frames"] > 3


READERS = {  # of the events -> signal, whether all of the clip was read before
    "nobody reads the pipe": (signal.SIGINT, "fifo"),
    "the reader stalls in mid-run": (signal.SIGTERM, "-"),
    "the reader stalls at the end": (signal.SIGHUP, "-"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_signal_ends_a_run_whose_reader_stalls(tmp_path: Path, clip: Path, name: str) -> None:
    number, target = READERS[name]
    os.mkfifo(tmp_path / "fifo")
    limit = ["--max-frames", 250] if name.endswith("end") else []
    with started(tmp_path, clip, "--events", target, "--stats", "stats", "--events", "all", *limit) as process:
        wait_for(lambda: lines(tmp_path / "all") >= 250)
        time.sleep(0.5)  # until the queue of the other one is full
        status, stderr = end(process, number)
        assert process.stdout
        whole = process.stdout.read().splitlines()
    assert (status, stderr.count("error: ")) == (2, 1), stderr
    assert "nobody reads" in stderr or "does not take" in stderr
    assert target != "-" or all(json.loads(line)["faces"] is not None for line in whole[:-1])
    assert json.loads((tmp_path / "stats").read_text())["unwritten"]


def handles_interrupts(process: subprocess.Popen[str]) -> bool:
    """Return whether the program has begun: before that, Python itself answers Ctrl-C with a traceback."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> signal.SIGTERM - 1 & 1)


def interrupt_at(folder: Path, delay_s: float) -> tuple[int, str]:
    """Interrupt the start after a while; return the exit status and what was said."""
    with started(folder, "demo", "--events", "-") as process:
        wait_for(lambda: handles_interrupts(process))
        time.sleep(delay_s)
        return end(process, signal.SIGINT)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's list of handled signals")
@pytest.mark.parametrize("delay_s", [0, 0.2, 0.8])
def test_ctrl_c_during_the_start_is_one_line(tmp_path: Path, delay_s: float) -> None:
    status, stderr = interrupt_at(tmp_path, delay_s)
    assert status in (0, 130), stderr
    assert status == 0 or stderr.splitlines()[-1] == "interrupted"


@pytest.mark.fuzz
def test_long_ctrl_c_at_any_moment_of_the_start(tmp_path: Path) -> None:
    statuses = [interrupt_at(tmp_path, 0.04 * i)[0] for i in range(30)]
    print(f"Ctrl-C after 0 to 1.2 s: {len(statuses)} of {len(statuses)} end in order: {statuses}")
    assert set(statuses) <= {0, 130}


@pytest.mark.fuzz
def test_long_a_thread_in_opencv_never_aborts_the_end(tmp_path: Path, serve: Callable[[str], str]) -> None:
    statuses = []
    for _ in range(15):
        (tmp_path / "events").unlink(missing_ok=True)
        with started(tmp_path, serve("drips under FFmpeg"), "--events", "events") as process:
            wait_for(lambda: lines(tmp_path / "events") > 3)
            statuses.append(end(process, signal.SIGTERM)[0])
    print(f"SIGTERM while OpenCV reads: statuses {statuses}")
    assert statuses == 15 * [0]

"""Start a network camera in a process of its own, and let it fail: a Motion JPEG stream of a moving face.

Picture number n is due at n / FPS seconds of the system's monotonic clock and carries n modulo CODES in its bottom
rows, so that whoever reads it knows how old it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge.errors import SourceError
from edge.opencv import cv2
from edge.picture import encode_picture
from edge.sources.demo import demo_images
from edge.stopping import Stop
from edge.values import Image

FPS = 30.0
SIZES = ((640, 480), (800, 600))  # width, height; the stream changes from one to the other
BITS = 7
CODES = 1 << BITS
BLOCK = 16  # pixels: the side of a bit
BOUNDARY = "picture"
MIN_SILENCE_S = 3.0  # longer than it takes to count as lost
PARENT_CHECK_S = 2.0


def write_number(image: Image, number: int) -> None:
    """Draw a number below CODES into the bottom left of an image, uint8 [height, width, 3], in place."""
    for bit in range(BITS):
        image[-BLOCK:, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)


def age_s(image: Image, now_s: float) -> float:
    """Return how long ago a picture was due, if that is less than CODES / FPS; `now_s` is of the monotonic clock."""
    blocks = image[-BLOCK // 2, BLOCK // 2 : BITS * BLOCK : BLOCK, 1]
    code = sum(int(value > 127) << bit for bit, value in enumerate(blocks))
    newest = int(now_s * FPS)
    return now_s - (newest - (newest - code) % CODES) / FPS


class FailingCamera:
    """Control the process of the camera. Raises SourceError if it does not start."""

    def __init__(self, cycle_s: float) -> None:
        self.cycle_s = cycle_s
        self._port = 0
        self._start()

    @property
    def url(self) -> str:
        """Return the address of the stream."""
        return f"http://127.0.0.1:{self._port}/"

    def _start(self) -> None:
        command = [sys.executable, "-m", __name__, str(self._port), str(self.cycle_s)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SourceError(f"the camera's process does not listen on port {self._port}; start the benchmark again")
        self._port = int(line)

    def fail(self, stop: Stop) -> None:
        """Fail in every cycle, until the run is to end: be silent, then die and come back."""
        silence_s = max(MIN_SILENCE_S, self.cycle_s / 12)
        pause_s = (self.cycle_s - 2 * silence_s) / 3
        while not stop.wait(pause_s):
            self._process.send_signal(signal.SIGSTOP)
            stop.wait(silence_s)
            self._process.send_signal(signal.SIGCONT)
            if stop.wait(pause_s):
                return
            self.kill()
            stop.wait(silence_s)
            self._start()
            stop.wait(pause_s)

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, cycle_s: float) -> None:
        self.cycle_s = cycle_s
        self._images = list(demo_images(CODES))
        self._parts: dict[tuple[int, tuple[int, int]], bytes] = {}
        super().__init__(("127.0.0.1", port), _Handler)

    def part(self, number: int, size: tuple[int, int]) -> bytes:
        """Return the stream's part with a picture; each is encoded once."""
        if (number, size) not in self._parts:
            image = cv2.resize(self._images[number], size)
            write_number(image, number)
            data = encode_picture(image, ".jpg", 80)
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self._parts[number, size] = head.encode() + data + b"\r\n"
        return self._parts[number, size]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        with contextlib.suppress(OSError):  # the viewer is gone
            while True:
                number = int(time.monotonic() * FPS) + 1
                time.sleep(max(0.0, number / FPS - time.monotonic()))
                size = SIZES[int(time.monotonic() / self.server.cycle_s) % len(SIZES)]
                self.wfile.write(self.server.part(number % CODES, size))

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def serve(port: int, cycle_s: float) -> None:
    """Serve until the process that started this one is gone."""
    parent = os.getppid()
    server = _Server(port, cycle_s)
    server.timeout = PARENT_CHECK_S
    print(server.server_address[1], flush=True)
    while os.getppid() == parent:
        server.handle_request()


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))

"""Drive a headless Chromium over its DevTools protocol, with the standard library alone.

    with chromium.open_page("http://127.0.0.1:8000/") as page:
        assert page.evaluate("document.title") == "Emotions"
        page.screenshot(Path("page.png"))

Tests skip where no Chromium is installed; `.ci/run` installs one where it can.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT_S = 60.0
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # it does not start as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # small in containers
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",  # getUserMedia gives a test picture
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-pipe",  # reads file descriptor 3, writes 4: needs no port and no WebSocket
)


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """Control one page. `console` collects its messages and exceptions, as the protocol's events."""

    def __init__(self, to_browser: IO[bytes], from_browser: IO[bytes]) -> None:
        self.console: list[dict[str, Any]] = []
        self._to_browser = to_browser
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._count = 0
        self._session: str | None = None
        threading.Thread(target=self._receive, args=(from_browser,), daemon=True).start()

    def attach(self) -> None:
        """Open a blank page and send all further commands to it."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to_browser.write(json.dumps(message).encode() + b"\0")
        self._to_browser.flush()
        while True:
            answer = self._answers.get(timeout=TIMEOUT_S)
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression as JSON gives it; a promise is awaited."""
        result = self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page in CSS pixels, as on a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def screenshot(self, path: Path) -> None:
        """Write the visible page as a PNG file."""
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))

    def _receive(self, from_browser: IO[bytes]) -> None:
        """Read the messages, which end with a zero byte; keep answers and what the page logs."""
        rest = b""
        while data := os.read(from_browser.fileno(), 1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._answers.put(message)
                elif message["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                    self.console.append(message)


@contextlib.contextmanager
def open_page(url: str = "about:blank", arguments: Sequence[str] = ()) -> Iterator[Page]:
    """Start Chromium with a profile of its own, and yield a page that shows the address. Skip without a Chromium.

    `arguments` are Chromium's, in addition to ARGUMENTS.
    """
    program = find()
    if program is None or os.name != "posix":
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    redirect = f'exec "$@" 3<&{commands} 4>&{answers}'
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        os.fdopen(to_browser, "wb") as writer,
        os.fdopen(from_browser, "rb") as reader,
    ):
        process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", program, *ARGUMENTS, *arguments, f"--user-data-dir={profile}"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        try:
            page = Page(writer, reader)
            page.attach()
            page.command("Page.navigate", url=url)
            page.evaluate("document.readyState == 'complete' || new Promise(done => onload = () => done(true))")
            yield page
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)

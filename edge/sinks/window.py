"""A window on the screen, where there is a screen and an OpenCV that can open one."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import OutputError
from edge.opencv import cv2
from edge.values import Frame, Image, Reading

TITLE = "Emotion Detector"
ESCAPE = 27


def unavailable() -> str | None:
    """Why no window can be shown here, or None."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "no display"
    gui = [line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")]
    if any("NONE" in line for line in gui):
        return "this OpenCV is headless (windows: pip uninstall opencv-python-headless; pip install '.[desktop]')"
    if sys.platform.startswith("linux") and not _display_answers():
        return "the display does not answer"
    return None


def _display_answers() -> bool:
    """Try it in a child: on a display that does not answer, Qt ends the process that asks."""
    program = "import cv2; cv2.namedWindow('x')"
    try:
        return subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def snapshot(image: Image, folder: Path) -> str:
    """Write a picture to the first free name in a folder, over nothing that is there; say where, or why not."""
    _, data = cv2.imencode(".png", image)
    for number in itertools.count(1):
        path = folder / f"snapshot-{number:03}.png"
        try:
            with path.open("xb") as file:
                file.write(data.tobytes())
        except FileExistsError:
            continue
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)  # the half of it that a full disk took
            return f"no snapshot: cannot write {path}: {error.strerror}"
        return f"snapshot: {path}"
    raise AssertionError


class Window:
    """Shows annotated frames; q, Esc or closing the window sets `stop`, s keeps the picture shown as a file.

    OpenCV's windows belong to the main thread: this output is written to in the loop itself.
    """

    wants_picture = True
    name = "the window"

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._image: Image | None = None  # the one that is shown

    def __enter__(self) -> Window:
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise OutputError("cannot open a window on this display; add --no-display") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._image is None:
            cv2.resizeWindow(TITLE, frame.image.shape[1], frame.image.shape[0])
        elif not self._visible():
            self._stop.set()
            return
        self._image = frame.image
        cv2.imshow(TITLE, frame.image)
        pressed = self.poll()
        while frame.name and not pressed and self._visible() and not self._stop.is_set():  # a picture waits for any key
            pressed = self.poll(50)

    def poll(self, wait_ms: int = 1) -> bool:
        """Serve the window and its keys; True where a key other than s was pressed."""
        key = cv2.waitKey(wait_ms)
        if key & 0xFF in (ord("q"), ESCAPE):
            self._stop.set()
        if key & 0xFF == ord("s") and self._image is not None:
            print(snapshot(self._image, Path.cwd()), file=sys.stderr)
        return key >= 0 and key & 0xFF != ord("s")

    def _visible(self) -> bool:
        return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        cv2.destroyAllWindows()

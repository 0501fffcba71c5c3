"""Show annotated frames in a window, if the display and OpenCV support it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from edge.errors import OutputError
from edge.opencv import cv2
from edge.sinks.base import Delivery, Sink, SinkContext
from edge.values import Frame, Image, Reading

TITLE = "Emotion Detector"
ESCAPE = 27  # key code
DISPLAY_TIMEOUT_S = 20
MAX_WIDTH, MAX_HEIGHT = 1280, 720  # of a new window, in pixels: OpenCV does not tell the size of the screen


def window_unavailable() -> str | None:
    """Return why no window can be shown here, or None if one can."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "no display"
    gui = [line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")]
    if any("NONE" in line for line in gui):
        return "this OpenCV is headless (for a window: pip uninstall opencv-python-headless; pip install '.[desktop]')"
    if sys.platform.startswith("linux") and not _display_responds():
        return "the display does not respond"
    return None


def _display_responds() -> bool:
    """Open a window in a child process: if the display does not respond, Qt ends the process that tries."""
    program = "import cv2; cv2.namedWindow('x')"
    try:
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=DISPLAY_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def snapshot(image: Image, folder: Path) -> str:
    """Write a picture to the first free name in a folder; return a message that names the file or the reason."""
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
                path.unlink(missing_ok=True)  # a full disk may have room for half of it
            return f"no snapshot: cannot write {path}: {error.strerror}"
        return f"snapshot: {path}"
    raise AssertionError


def window_size(image: Image) -> tuple[int, int]:
    """Return the width and height of a window that shows a whole picture and fits on the screen."""
    height, width = image.shape[:2]
    scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    return max(1, round(scale * width)), max(1, round(scale * height))


def open_window() -> None:
    """Open the window. Raises OutputError if the display has none."""
    try:
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    except cv2.error as error:
        raise OutputError("cannot open a window on this display; a run needs none with --no-display") from error


def is_visible() -> bool:
    """Return whether the window is still there: people close it to end the run."""
    return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1)


class Window(Sink):
    """Show annotated frames.

    q, Esc or closing the window ends the run; s saves the picture as a file; n starts the countdown of a neutral face.
    """

    name = "the window"
    needs_picture = True
    delivery = Delivery.MAIN_THREAD
    is_watched = True

    def __init__(self, target: str, context: SinkContext) -> None:
        self._stop = context.stop
        self._calibrate = context.calibrate
        self._image: Image | None = None  # the one on the screen

    def __enter__(self) -> Window:
        open_window()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if self._image is not None and not is_visible():
            self._stop.set()
            return
        if self._image is None or self._image.shape != frame.image.shape:
            cv2.resizeWindow(TITLE, *window_size(frame.image))
        self._image = frame.image
        cv2.imshow(TITLE, frame.image)
        pressed = self._handle_key()
        while frame.name and not pressed and is_visible() and not self._stop.is_set():  # a picture: any key
            pressed = self._handle_key(50)

    def poll(self) -> None:
        self._handle_key()

    def _handle_key(self, wait_ms: int = 1) -> bool:
        """Let the window redraw, and handle a key; return whether one other than s and n was pressed."""
        key = cv2.waitKey(wait_ms)
        if key & 0xFF in (ord("q"), ESCAPE):
            self._stop.set()
        if key & 0xFF == ord("s") and self._image is not None:
            print(snapshot(self._image, Path.cwd()), file=sys.stderr)
        if key & 0xFF == ord("n"):
            self._calibrate()
        return key >= 0 and key & 0xFF not in (ord("s"), ord("n"))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        cv2.destroyAllWindows()

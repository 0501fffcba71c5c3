"""A window on the screen, where there is a screen and an OpenCV that can open one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType

from edge.errors import OutputError
from edge.opencv import cv2
from edge.values import Frame, Reading

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


class Window:
    """Shows annotated frames; sets `stop` when q or Esc is pressed or the window is closed."""

    wants_picture = True

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._shown = False

    def __enter__(self) -> Window:
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise OutputError("cannot open a window on this display; add --no-display") from error
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if not self._shown:
            cv2.resizeWindow(TITLE, frame.image.shape[1], frame.image.shape[0])
        elif not self._visible():
            self._stop.set()
            return
        self._shown = True
        cv2.imshow(TITLE, frame.image)
        key = cv2.waitKey(1)
        while frame.name and key < 0 and self._visible() and not self._stop.is_set():  # a picture waits for any key
            key = cv2.waitKey(50)
        if key & 0xFF in (ord("q"), ESCAPE):
            self._stop.set()

    def _visible(self) -> bool:
        return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        cv2.destroyAllWindows()

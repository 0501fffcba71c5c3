"""Where frames come from: `open_source(text)` -> an iterable of Frame that must be closed.

Recorded sources (video, pictures, demo) give every frame, in order, the same each time. Live sources (camera, stream)
give the newest frame: a thread reads them into a one-slot mailbox, older frames are dropped and counted, so that lag
cannot grow.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from edge.demo import demo_images
from edge.errors import SourceError
from edge.opencv import cv2
from edge.values import Frame, Image

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
STALLED_S = 5.0  # a live source that gives nothing for this long has stopped
TIMEOUTS = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 10_000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5_000]  # of a network stream
DEMO_FPS = 30.0
DEMO_FRAMES = 300


class Source:
    """Frames, and what is known about them. Subclasses give `_images`; live ones override `__iter__`."""

    live = False
    independent = False  # pictures that have nothing to do with each other
    fps = 30.0  # of the recording; nominal for live sources
    dropped = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.stop = threading.Event()  # set it, from any thread or signal handler, to end the frames

    def __iter__(self) -> Iterator[Frame]:
        for index, (image, name) in enumerate(self._images()):
            if self.stop.is_set():
                return
            yield Frame(index, index / self.fps, time.monotonic(), image, name)

    def _images(self) -> Iterator[tuple[Image, str | None]]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of devices and files; may be called twice."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Demo(Source):
    """A camera that pans and zooms over a photograph; `endless` for a window that somebody watches."""

    fps = DEMO_FPS

    def __init__(self, endless: bool = False) -> None:
        super().__init__("demo")
        self._endless = endless

    def _images(self) -> Iterator[tuple[Image, str | None]]:
        while True:
            yield from ((image, None) for image in demo_images(DEMO_FRAMES))
            if not self._endless:
                return


class Pictures(Source):
    """A picture, or the pictures of a folder in the order of their names."""

    independent = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        if path.is_dir():
            self._files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
        else:
            self._files = [path]
        if not self._files:
            raise SourceError(f"expected pictures ({' '.join(sorted(PICTURES))}) in {path}, found none")
        if len(self._files) == 1:
            read_picture(self._files[0])

    def _images(self) -> Iterator[tuple[Image, str | None]]:
        return ((read_picture(file), file.name) for file in self._files)


class Video(Source):
    """A video file, every frame of it. The container's own count of frames is not to be trusted."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._capture = cv2.VideoCapture(str(path))
        self._first: Image | None = self._capture.read()[1] if self._capture.isOpened() else None
        if self._first is None:
            self._capture.release()
            raise SourceError(f"expected a video or a picture, cannot decode {path}; check the file")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else 30.0

    def _images(self) -> Iterator[tuple[Image, str | None]]:
        image = self._first
        while image is not None:
            yield image, None
            read, image = self._capture.read()
            image = image if read else None

    def close(self) -> None:
        self._capture.release()


class Camera(Source):
    """A webcam or a network stream: the newest frame wins."""

    live = True

    def __init__(self, device: int | str) -> None:
        super().__init__(str(device))
        if isinstance(device, str) and "://" in device:
            self._capture = cv2.VideoCapture(device, cv2.CAP_FFMPEG, TIMEOUTS)
        else:
            self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(_no_camera(device))
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 240 else 30.0
        self._mailbox: tuple[int, float, Image] | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        """Capture thread: put each frame into the mailbox, over the one before."""
        index = 0
        while not self.stop.is_set():
            read, image = self._capture.read()
            with self._changed:
                if read and self._mailbox is not None:
                    self.dropped += 1
                self._mailbox = (index, time.monotonic(), image) if read else self._mailbox
                self._ended = not read
                self._changed.notify()
            if not read:
                break
            index += 1
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """Newest frames until closed; SourceError where the device stops giving them."""
        start = None
        while True:
            deadline = time.monotonic() + STALLED_S
            with self._changed:
                while self._mailbox is None and not self._ended and time.monotonic() < deadline:
                    if self.stop.is_set():
                        return
                    self._changed.wait(0.1)  # a signal handler may set `stop`, but must not notify
                taken, self._mailbox = self._mailbox, None
            if self.stop.is_set():
                return
            if taken is None:
                why = "ended" if self._ended else f"gave no frame for {STALLED_S:.0f} s"
                raise SourceError(f"camera {self.name} {why}; check its cable or network and start again")
            index, captured_s, image = taken
            start = captured_s if start is None else start
            yield Frame(index, captured_s - start, captured_s, image)

    def close(self) -> None:
        self.stop.set()
        self._thread.join(timeout=2.0)


def open_source(text: str, endless_demo: bool = False) -> Source:
    """demo, a camera's number or /dev/videoN, a stream's URL, a video, a picture, or a folder of pictures.

    Raises SourceError where there is nothing of that kind.
    """
    if text == "demo":
        return Demo(endless_demo)
    if re.fullmatch(r"\d{1,3}", text):
        return Camera(int(text))
    if text.startswith("/dev/video") or re.match(r"(rtsp|rtsps|http|https|rtmp|udp|tcp)://", text):
        return Camera(text)
    path = Path(text)
    if not path.exists():
        raise SourceError(
            f"no source {text!r}; expected demo, a camera's number, a URL, a video, a picture or a folder"
        )
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return Pictures(path)
    if not path.is_file():
        raise SourceError(f"expected a file or a folder, found {path}, which is neither")
    return Video(path)


def paced(source: Source) -> Iterator[Frame]:
    """A recorded source at its own speed, as a person watches it; live sources have theirs, pictures have none."""
    if source.live or source.independent:
        yield from source
        return
    start = time.monotonic()
    for frame in source:
        time.sleep(max(0.0, start + frame.time_s - time.monotonic()))
        yield replace(frame, captured_s=time.monotonic())  # as if the camera had given it now


def read_picture(file: Path) -> Image:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"expected a picture, cannot decode {file}; remove it or fetch it again")
    return image


def _no_camera(device: int | str) -> str:
    there = ", ".join(str(item) for item in sorted(Path("/dev").glob("video*"))) or "none"
    return f"cannot open camera {device}; cameras on this machine: {there}; or try --source demo"

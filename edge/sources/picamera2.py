"""Capture from the Raspberry Pi's CSI camera, which OpenCV cannot see, through picamera2."""

from __future__ import annotations

import os

from edge.errors import SourceError
from edge.sources.base import CameraSettings
from edge.values import Image

os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # its log lines would appear among those of this program
INSTALL_HINT = (
    "run: sudo apt install python3-picamera2, and create the environment with: python3 -m venv --system-site-packages"
)
NUMPY_HINT = "run: pip install '.[headless]' 'numpy<2'"


class PiCamera:
    """Capture from the Pi's camera. Raises SourceError if there is none."""

    supported_settings: tuple[str, ...] = ("resolution", "fps")
    may_be_still = False

    def __init__(self, text: str, settings: CameraSettings) -> None:
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # ValueError: its compiled parts are for numpy 1
            reason = str(error).partition("\n")[0]
            hint = NUMPY_HINT if "numpy" in reason else INSTALL_HINT
            raise SourceError(f"--source {text} needs picamera2, cannot import it ({reason}); {hint}") from error
        size = settings.resolution or (640, 480)
        self.fps = settings.fps or 30.0
        frame_us = round(1e6 / self.fps)
        try:
            self._camera = Picamera2()
            configuration = self._camera.create_video_configuration(
                main={"format": "RGB888", "size": size},  # picamera2's name for blue, green, red in memory
                controls={"FrameDurationLimits": (frame_us, frame_us)},
                queue=False,  # never a frame from before the call
            )
            self._camera.configure(configuration)
            self._camera.start()
        except (IndexError, RuntimeError) as error:  # none connected; in use by another program; beyond the sensor
            raise SourceError(f"cannot open the Pi's camera ({error}); try: rpicam-hello --list-cameras") from error
        width, height = self._camera.camera_configuration()["main"]["size"]
        self.notice = None if (width, height) == size else f"the Pi's camera gives {width}x{height}"

    @staticmethod
    def accepts(text: str) -> bool:
        """Return whether the text names the Pi's camera."""
        return text == "picamera"

    def read(self) -> Image | None:
        """Wait for the next picture, uint8 [height, width, 3] BGR."""
        return self._camera.capture_array("main")

    def release(self) -> None:
        """Close the camera."""
        self._camera.stop()
        self._camera.close()

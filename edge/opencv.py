"""OpenCV, or one line that says how to get it. Every module takes cv2 from here, so no command ends in a traceback."""

import os
import sys

# Its own complaints would stand beside our one line; set these to hear them.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

try:
    import cv2
except ImportError as error:  # not installed, or one with windows on a machine without libGL
    print(
        f"error: needs an OpenCV that loads here ({error}); run: pip install '.[headless]' or '.[desktop]'",
        file=sys.stderr,
    )
    raise SystemExit(2) from error

__all__ = ["cv2"]

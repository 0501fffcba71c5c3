"""Download BlazeFace's model to the user's cache at the first use."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edge.errors import MissingExtra, ModelError
from edge.quiet import quiet

URL = (
    "https://storage.googleapis.com/mediapipe-models/face_detector/blaze_face_short_range/float16/1/"
    "blaze_face_short_range.tflite"
)
SHA256 = "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f"


def cache_path() -> Path:
    """Return the path of the model in the cache, which may not exist."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (it never raises)
    return Path(folder) / "edge-emotion" / URL.rsplit("/", 1)[1]


def is_cached() -> bool:
    """Return whether the model is in the cache, with the right hash."""
    path = cache_path()
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def fetch_model() -> Path:
    """Return the model's path in the cache; download it at the first use.

    Raises ModelError if it cannot be downloaded, MissingExtra without pooch.
    """
    path = cache_path()
    if not is_cached():
        try:
            import pooch
        except ImportError:
            raise MissingExtra(
                "BlazeFace's model (--detector-model FILE) or, to fetch it, pooch", "blazeface"
            ) from None
        pooch.get_logger().setLevel("CRITICAL")  # it would log each download at length
        with quiet():
            try:
                pooch.retrieve(URL, known_hash=SHA256, path=path.parent, fname=path.name)
            except (OSError, ValueError) as error:  # no network, or another file than expected
                hint = "download it elsewhere and name it with --detector-model FILE"
                raise ModelError(f"cannot download {URL}; {hint}") from error
    return path

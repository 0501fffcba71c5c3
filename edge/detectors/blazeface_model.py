"""BlazeFace's model file: from its public home into the user's cache, at the first use."""

from __future__ import annotations

import os
from pathlib import Path

from edge.errors import MissingExtra, ModelError
from edge.quiet import quiet

URL = (
    "https://storage.googleapis.com/mediapipe-models/face_detector/blaze_face_short_range/float16/1/"
    "blaze_face_short_range.tflite"
)
SHA256 = "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f"
CACHED = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edge-emotion" / URL.rsplit("/", 1)[1]


def model_file() -> Path:
    """BlazeFace's model in the user's cache; fetched from its home at the first use. Raises ModelError offline."""
    if not CACHED.is_file():
        try:
            import pooch
        except ImportError:
            raise MissingExtra(
                "BlazeFace's model (--detector-model FILE) or, to fetch it, pooch", "blazeface"
            ) from None
        try:
            with quiet():
                pooch.retrieve(URL, known_hash=SHA256, path=CACHED.parent, fname=CACHED.name)
        except (OSError, ValueError) as error:  # no network; not the file that was expected
            raise ModelError(f"cannot fetch {URL}; fetch it elsewhere and give it by --detector-model FILE") from error
    return CACHED

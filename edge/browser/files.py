"""Put the browser demo together: the files of a static site that runs the shipped model in the visitor's browser.

Constants that the device uses as well (of the smoothing, the detector, the preprocessing) are written into the module
`settings.js`: they have one home, in the device's code.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge import neutral, preprocess, smoother, tracker
from edge.backend import SHIPPED
from edge.browser.third_party import FILES, integrity
from edge.calibrator import MAX_FACES
from edge.card import PROBABILITIES
from edge.detectors import base, blazeface
from edge.errors import UsageError
from edge.labels import UNCERTAIN
from edge.model_file import read_model_file
from edge.report.page import colours_of

PAGE = Path(__file__).with_name("page")
LIVE_PAGE = Path(__file__).parents[1] / "web"  # has the same look
SHARED = ("look.css", "cards.js")
MODEL = "emotion.tflite"
VENDOR = "vendor"  # folder of the third-party files
POLICY = "/* policy */"  # its place in the page
# What the page's scripts can prepare and read: that of a model of this project.
READABLE = {
    "colour": "grey",
    "channels": 3,
    "input_type": "uint8",
    "input_scale": "0..255",
    "input_layout": "nhwc",
    "outputs": PROBABILITIES,
}


def policy(offline: bool) -> str:
    """Return the Content-Security-Policy: scripts and data from here, and from the third parties' homes.

    The third parties' scripts are run from memory (`blob:`), after their hashes were checked.
    """
    hosts = sorted({"https://" + urlsplit(file.url).netloc for file in FILES.values()})
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' blob: 'wasm-unsafe-eval'",
            "style-src 'self'",
            "img-src data:",
            "connect-src " + " ".join(["'self'", *([] if offline else hosts)]),
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def site_files(offline: bool = False, model: Path = SHIPPED) -> dict[str, bytes | Path]:
    """Return the site's files by name: contents, or the path of a file with the content.

    Online, the visitor's browser gets the third parties' files from their homes; offline, they are part of the site,
    from the cache. Raises ModelError, and UsageError for a model that is no .tflite file, or that the page cannot read.
    """
    if model.suffix != ".tflite":
        raise UsageError(f"expected a .tflite file as the model for browsers, found {model}")
    files: dict[str, bytes | Path] = {path.name: path for path in sorted(PAGE.iterdir()) if path.is_file()}
    files |= {name: LIVE_PAGE / name for name in SHARED}
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    files["index.html"] = page.replace(POLICY, policy(offline)).encode()
    files["settings.js"] = f"export const settings = {json.dumps(_settings(offline, model), indent=2)};\n".encode()
    files[MODEL] = model
    if offline:
        files |= {f"{VENDOR}/{file.name}": file.path for file in FILES.values()}
    return files


def _settings(offline: bool, model: Path) -> dict[str, Any]:
    """Return what the scripts need to know."""
    card = read_model_file(model).card
    for name, readable in READABLE.items():
        if (found := getattr(card, name)) != readable:
            raise UsageError(f"expected a model with {name} {readable} for browsers, found {found} in {model}")
    content = model.read_bytes()
    own = {
        "name": model.name,
        "purpose": f"Emotions: {model.name}",
        "url": MODEL,
        "integrity": integrity(hashlib.sha256(content).digest()),
        "size": len(content),
    }
    others = {
        key: {
            "name": file.name,
            "purpose": file.purpose,
            "url": f"{VENDOR}/{file.name}" if offline else file.url,
            "integrity": file.integrity,
            "size": file.size,
        }
        for key, file in FILES.items()
    }
    return {
        "files": {"model": own, **others},
        "colours": colours_of(card.labels),
        "largeFaceRatio": preprocess.LARGE_FACE_RATIO,
        "blazeface": {
            "side": blazeface.SIDE,
            "grids": blazeface.GRIDS,
            "minScore": blazeface.MIN_SCORE,
            "maxIou": base.MAX_IOU,
            "crop": {"scale": blazeface.CROP.scale, "down": blazeface.CROP.down},
        },
        "tracker": {"sameFaceIou": tracker.SAME_FACE_IOU, "maxMissed": tracker.MAX_MISSED},
        "smoother": {
            "timeConstantS": smoother.TIME_CONSTANT_S,
            "uncertainBelow": smoother.UNCERTAIN_BELOW,
            "hysteresis": smoother.HYSTERESIS,
            "forgetAfterS": smoother.FORGET_AFTER_S,
            "uncertain": UNCERTAIN,
        },
        "neutral": {
            "label": neutral.NEUTRAL,
            "strength": neutral.STRENGTH,
            "offset": neutral.OFFSET,
            "sharpness": neutral.SHARPNESS,
            "minProbability": neutral.MIN_PROBABILITY,
            "maxFaces": MAX_FACES,
        },
    }

"""Pin the files of others that the browser demo needs: the runtime of LiteRT.js, and BlazeFace's model.

They are never part of this project: the visitor's browser downloads them from their public homes and checks their
hashes, or they are downloaded once into the user's cache, for a site that works without the internet.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from edge.detectors import blazeface_model
from edge.errors import OutputError
from edge.files import atomic_write

HOME = "https://cdn.jsdelivr.net/npm/@litertjs"  # serves what npm's registry has, unchanged
VERSION = "2.5.3"
RUNTIME = f"Runtime: LiteRT.js {VERSION}"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ThirdParty:
    """Describe a file: its name here, its purpose, its home, the sha256 of its content and its size in bytes."""

    name: str
    purpose: str
    url: str
    sha256: str
    size: int

    @property
    def path(self) -> Path:
        """Return its place in the user's cache, where it may be missing."""
        return blazeface_model.cache_path().with_name(self.name)

    @property
    def integrity(self) -> str:
        """Return the hash as browsers expect it."""
        return integrity(bytes.fromhex(self.sha256))

    def is_cached(self) -> bool:
        """Return whether the cache has it, unchanged."""
        return self.path.is_file() and hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256

    def fetch(self) -> Path:
        """Return its path in the cache; download it if it is not there. Raises OutputError."""
        if not self.is_cached():
            print(f"downloading {self.url} ({self.size / 1e6:.1f} MB)", file=sys.stderr)
            hint = f"download it elsewhere and save it as {self.path}"
            try:
                with urllib.request.urlopen(self.url, timeout=TIMEOUT_S) as response:
                    content = response.read(self.size + 1)
            except OSError as error:
                raise OutputError(f"cannot download {self.url} ({getattr(error, 'reason', error)}); {hint}") from error
            if hashlib.sha256(content).hexdigest() != self.sha256:
                raise OutputError(f"expected the sha256 {self.sha256} of {self.url}, found another; {hint}")
            with atomic_write(self.path) as tmp:
                tmp.write_bytes(content)
        return self.path


def integrity(sha256: bytes) -> str:
    """Return a digest as browsers expect it (Subresource Integrity)."""
    return f"sha256-{base64.b64encode(sha256).decode()}"


FILES = {
    "core": ThirdParty(
        f"litertjs-core-{VERSION}.js",
        RUNTIME,
        f"{HOME}/core@{VERSION}/dist/index.js",
        "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
        53_482,
    ),
    "utilities": ThirdParty(
        f"litertjs-wasm-utils-{VERSION}.js",
        RUNTIME,
        f"{HOME}/wasm-utils@{VERSION}/dist/index.js",
        "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
        1_494,
    ),
    "loader": ThirdParty(
        f"litertjs-wasm-{VERSION}.js",
        RUNTIME,
        f"{HOME}/core@{VERSION}/wasm/litert_wasm_compat_internal.js",  # runs everywhere, with the same answers
        "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
        273_246,
    ),
    "wasm": ThirdParty(
        f"litertjs-wasm-{VERSION}.wasm",
        RUNTIME,
        f"{HOME}/core@{VERSION}/wasm/litert_wasm_compat_internal.wasm",
        "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
        9_334_181,
    ),
    "detector": ThirdParty(
        blazeface_model.cache_path().name,
        "Face detector: BlazeFace of MediaPipe",
        blazeface_model.URL,
        blazeface_model.SHA256,
        229_746,
    ),
}


def all_cached() -> bool:
    """Return whether the cache has every file, unchanged."""
    return all(file.is_cached() for file in FILES.values())

"""Import OpenCV at its first use, and check that its installation is whole.

Every module uses `from edge.opencv import cv2`. Importing a module therefore never fails without OpenCV; using it
raises MissingExtra, which commands turn into one line.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edge.errors import EmotionError, MissingExtra

if TYPE_CHECKING:
    from importlib import metadata

# Its log lines would appear among those of this program; set these variables to see them.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# A file of 200 kB can claim a picture of gigabytes: OpenCV reads this limit when it is imported.
_LIMIT = os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
MAX_PIXELS = int(_LIMIT) if _LIMIT.isdecimal() else 100_000_000

# All install into one folder, cv2: two versions overwrite each other's files, and uninstalling one breaks the other.
PACKAGES = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")


def load_opencv() -> ModuleType:
    """Import cv2. Raises MissingExtra if it is missing, half removed, or a mix of two versions."""
    try:
        module = importlib.import_module("cv2")
    except Exception as error:  # ImportError, but a mix of two versions also raises AttributeError and others
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _missing(f"which cannot be imported here ({reason})") from error
    folders = [Path(folder).resolve() for folder in getattr(module, "__path__", [])]
    if not hasattr(module, "VideoCapture"):
        raise _missing(f"but {folders[0] if folders else module} holds only remains of it")
    if all(_packages_beside(folder) < 2 for folder in getattr(module, "__path__", [])):
        return module
    versions = {item.name: item.version for item in _installed() if _folder(item) in folders}
    if len({version.rsplit(".", 1)[0] for version in versions.values()}) > 1:  # the last number is the package's build
        names = ", ".join(f"{name} {version}" for name, version in versions.items())
        raise _missing(f"but two versions of it share one folder ({names})")
    return module


def _packages_beside(folder: str) -> int:
    """Count what pip keeps of OpenCV packages beside the folder cv2: a look at names, which takes no time."""
    return sum(1 for _ in Path(folder).parent.glob("opencv*.dist-info"))


def _installed() -> list[metadata.Distribution]:
    """Return the OpenCV packages that pip lists, even if their files are gone."""
    from importlib import metadata  # here: it takes a tenth of the start

    return [item for name in PACKAGES for item in metadata.distributions(name=name)]


def _folder(package: metadata.Distribution) -> Path:
    return Path(str(package.locate_file("cv2"))).resolve()


def _missing(problem: str) -> MissingExtra:
    installed = list(dict.fromkeys(item.name for item in _installed()))
    return MissingExtra("OpenCV", _extra(problem, installed), problem, installed)


def _extra(problem: str, installed: list[str]) -> str:
    """Return the extra of pyproject.toml that installs the OpenCV for this machine."""
    if any("contrib" in name for name in installed):
        return "mediapipe"
    has_display = not sys.platform.startswith("linux") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return "desktop" if has_display and "libGL" not in problem else "headless"


class _LazyModule:
    """Stand in for cv2: import it when an attribute is first read, then hold all of its attributes."""

    def __getattr__(self, name: str) -> Any:  # called only for attributes that are not in __dict__ yet
        module = load_opencv()
        self.__dict__ = {**vars(module), **self.__dict__}  # attributes that a test replaced stay
        return getattr(module, name)


if TYPE_CHECKING:
    import cv2
else:
    cv2 = _LazyModule()


@contextlib.contextmanager
def translate_errors(kind: type[EmotionError], problem: str) -> Iterator[None]:
    """Raise what OpenCV raises, and a lack of memory, as `kind`: both come from pictures of extreme sizes.

    `problem` is what cannot be done, as `cannot decode a.jpg`.
    """
    try:
        yield
    except (cv2.error, MemoryError) as error:
        raise translated(error, kind, problem) from error


def translated(error: Exception, kind: type[EmotionError], problem: str) -> EmotionError:
    """Return a cv2.error or MemoryError as an error of this program; see translate_errors."""
    reason = getattr(error, "err", "") or "out of memory"
    return kind(f"{problem}: OpenCV {cv2.__version__} reports {' '.join(reason.split())}")


__all__ = ["MAX_PIXELS", "cv2", "load_opencv", "translate_errors", "translated"]

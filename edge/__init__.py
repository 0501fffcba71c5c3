"""Read emotions from faces in pictures and videos: `from edge import EmotionReader`.

The names are imported at their first use, so that `import edge` is fast and works without OpenCV.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.draw import annotate as annotate
    from edge.errors import EmotionError as EmotionError
    from edge.reader import EmotionReader as EmotionReader
    from edge.values import Reading as Reading
else:
    _MODULES = {
        "EmotionError": "edge.errors",
        "EmotionReader": "edge.reader",
        "Reading": "edge.values",
        "annotate": "edge.draw",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module 'edge' has no attribute {name!r}")
        return getattr(importlib.import_module(_MODULES[name]), name)


__all__ = ["EmotionError", "EmotionReader", "Reading", "annotate"]

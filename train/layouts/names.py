"""Tell which split the name of a folder means; edge.label_names tells which emotion."""

from __future__ import annotations

import re

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test", "eval": "test"}
SPLITS |= {"publictest": "public", "privatetest": "private"}
SPLITS |= dict.fromkeys(("val", "valid", "validation", "dev"), "public")
FILLERS = {
    "set",
    "data",
    "dataset",
    "split",
    "images",
    "image",
    "faces",
}  # words beside a split's name, as in train_set


def split_name(name: str) -> str | None:
    """Return the split that a folder's name means, None if it means none."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word not in FILLERS]
    return SPLITS.get("".join(words)) if len(words) <= 2 else None

"""Check that no file can run code: nothing is unpickled, no model is opened outside Keras' safe mode."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("edge", "train", "export", "benchmarks")
MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "_pickle"}  # all of them run what they read
CALLS = {"eval", "exec", "torch.load", "yaml.load", "pandas.read_pickle", "enable_unsafe_deserialization"}
SAFE_KEYWORDS = {"allow_pickle": False, "safe_mode": True}


def violations(source: str) -> Iterator[str]:
    """Yield what in a source may run code that it reads from a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            yield from {str(node.module).partition(".")[0]} & MODULES
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            yield from {name, name.rpartition(".")[2]} & CALLS
            for keyword in node.keywords:
                safe = SAFE_KEYWORDS.get(keyword.arg or "", keyword)
                if safe is not keyword and getattr(keyword.value, "value", None) is not safe:
                    yield f"{keyword.arg}={ast.unparse(keyword.value)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_is_unpickled(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): list(violations(path.read_text(encoding="utf-8")))
        for path in (ROOT / package).rglob("*.py")
    }
    assert len(found) > 10
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import pickle", 1),
        ("from joblib import load", 1),
        ("np.load(path, allow_pickle=True)", 1),
        ("np.load(path, allow_pickle=flag)", 1),
        ("np.load(path, allow_pickle=False)", 0),
        ("keras.models.load_model(path, safe_mode=False)", 1),
        ("keras.config.enable_unsafe_deserialization()", 1),
        ("torch.load(path)", 1),
        ("eval(text)", 1),
        ("model.eval()", 1),  # torch's, which no package here calls
        ("re.compile(text)", 0),
    ],
)
def test_the_check_can_fail(source: str, count: int) -> None:
    assert len(list(violations(source))) == count


def test_the_notice_names_the_shipped_detector_by_its_hash() -> None:
    from edge.detectors.yunet import MODEL, SHA256

    notice = Path(MODEL.parent / "NOTICE.md").read_text(encoding="utf-8")
    assert re.findall(r"sha256 ([0-9a-f]{64})", notice) == [SHA256]

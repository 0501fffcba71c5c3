"""Specify results.json as a contract: older files can be read, and every field keeps its name and place."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from benchmarks.codec import INLINE, Suffix, from_json, to_json
from benchmarks.results import Estimate, Results
from edge.errors import DataError
from tests.benchmarks.reference import REFERENCE

ADDED_LATER = {"start": {"detector": "haar"}}


def test_every_field_of_an_older_file_survives() -> None:
    expected = copy.deepcopy(REFERENCE)
    for parent, fields in ADDED_LATER.items():
        expected[parent] |= fields
    for model in expected["models"]:
        model["targets"] = "labels"
    expected["dataset"]["name"] = ""
    assert to_json(from_json(Results, REFERENCE)) == expected | {"quick": False, "left_out": []}


def test_fields_of_a_later_version_are_ignored() -> None:
    assert from_json(Results, {**REFERENCE, "later": 1}) == from_json(Results, REFERENCE)


@dataclass(frozen=True)
class Part:
    a: int
    b: tuple[float, ...]


@dataclass(frozen=True)
class Whole:
    part: Annotated[Part | None, INLINE]
    fps: Annotated[Estimate | None, Suffix("ci95")]
    name: str = "default"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (
            Whole(Part(1, (0.5, 2.0)), Estimate(3.0, (2.0, 4.0)), "x"),
            {"a": 1, "b": [0.5, 2.0], "fps": 3.0, "fps_ci95": [2.0, 4.0], "name": "x"},
        ),
        (Whole(None, None, "x"), {"fps": None, "fps_ci95": None, "name": "x"}),
        (Whole(None, Estimate(3.0, None), "x"), {"fps": 3.0, "fps_ci95": None, "name": "x"}),
    ],
)
def test_layouts(value: Whole, encoded: dict[str, Any]) -> None:
    assert to_json(value) == encoded
    assert from_json(Whole, json.loads(json.dumps(encoded))) == value


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ({}, "a field fps"),
        ({"fps": "fast"}, "float in fps.value, found str"),
        ({"fps": True}, "float in fps.value, found bool"),
        ({"fps": 1, "fps_ci95": [1]}, "2 values in fps.ci95, found 1"),
        ({"a": 1.5, "b": [], "fps": None}, "int in a, found float"),
        ({"a": 1, "fps": None}, "a field b"),
        ([], "dict in the file, found list"),
    ],
)
def test_errors_name_the_field(encoded: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_json(Whole, encoded)


def test_missing_fields_take_their_default() -> None:
    assert from_json(Whole, {"fps": None}).name == "default"

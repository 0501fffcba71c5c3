"""Convert frozen dataclasses to JSON values and back, checking the type of every field.

A field goes by its own name in JSON, unless its annotation says otherwise:

    scores: Annotated[Scores | None, INLINE]           the fields of Scores stand among its parent's; None: absent
    fps: Annotated[Estimate | None, Suffix("ci95")]    {"fps": value, "fps_ci95": interval}; None: both are null
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from edge.errors import DataError

T = TypeVar("T")
INLINE = "inline"
ABSENT = object()


@dataclass(frozen=True)
class Suffix:
    """Mark a field of a dataclass with two parts, `value` and the one called `name`."""

    name: str


def to_json(value: Any) -> Any:
    """Return a dataclass, or a container of them, as json.dumps takes it."""
    if isinstance(value, Mapping):
        return {key: to_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(part) for part in value]
    if not dataclasses.is_dataclass(value):
        return value
    result: dict[str, Any] = {}
    kind: Any = type(value)
    for name, (_, layout) in _annotations(kind).items():
        part = to_json(getattr(value, name))
        if isinstance(layout, Suffix):
            part = part or {"value": None, layout.name: None}
            result |= {name: part["value"], f"{name}_{layout.name}": part[layout.name]}
        elif layout == INLINE:
            result |= part or {}
        else:
            result[name] = part
    return result


def from_json(kind: type[T], value: Any, where: str = "") -> T:
    """Build a `kind` from what json.loads returned; unknown fields are ignored.

    Raises DataError, naming the field, where one is missing or has another type.
    """
    return cast(T, _convert(kind, value, where))


@functools.cache
def _annotations(kind: Any) -> dict[str, tuple[Any, object]]:
    """Return the type and the layout of each field."""
    hints = get_type_hints(kind, include_extras=True)
    layouts = {field.name: getattr(hints[field.name], "__metadata__", (None,))[0] for field in dataclasses.fields(kind)}
    types = get_type_hints(kind)
    return {name: (types[name], layout) for name, layout in layouts.items()}


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    arguments = get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None else _convert(_without_none(kind), value, where)
    if dataclasses.is_dataclass(kind):
        return _convert_fields(kind, _expect(dict, value, where), where)
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        items = [(key, part) for key, part in _expect(dict, value, where).items() if key in hints]
        return {key: _convert(hints[key], part, f"{where}.{key}") for key, part in items}
    if origin is dict:
        items = _expect(dict, value, where).items()
        return {key: _convert(arguments[1], part, f"{where}.{key}") for key, part in items}
    if origin is list:
        return [_convert(arguments[0], part, f"{where}[{i}]") for i, part in enumerate(_expect(list, value, where))]
    if origin is tuple:
        return _convert_tuple(arguments, _expect(list, value, where), where)
    return _expect(kind, value, where)


def _convert_tuple(kinds: tuple[Any, ...], values: list[Any], where: str) -> tuple[Any, ...]:
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(values)
    if len(kinds) != len(values):
        raise DataError(f"expected {len(kinds)} values in {where}, found {len(values)}")
    return tuple(_convert(kinds[i], value, f"{where}[{i}]") for i, value in enumerate(values))


def _without_none(kind: Any) -> Any:
    return next((item for item in get_args(kind) if item is not type(None)), kind)


def _convert_fields(kind: Any, values: dict[str, Any], where: str) -> Any:
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    converted = {}
    for name, (hint, layout) in _annotations(kind).items():
        path = where if layout == INLINE else f"{where}.{name}".lstrip(".")
        part = _gather(name, hint, layout, values)
        if part is not ABSENT:
            converted[name] = _convert(hint, part, path)
        elif defaults[name] is dataclasses.MISSING:
            raise DataError(f"expected a field {path}, found none")
    return kind(**converted)


def _gather(name: str, hint: Any, layout: object, values: dict[str, Any]) -> Any:
    """Return the JSON value of a field from where its layout puts it; ABSENT if there is none."""
    if layout == INLINE:
        if get_origin(hint) not in (Union, UnionType):
            return values
        return values if dataclasses.fields(_without_none(hint))[0].name in values else None
    value = values.get(name, ABSENT)
    if isinstance(layout, Suffix) and value is not ABSENT and value is not None:
        return {"value": value, layout.name: values.get(f"{name}_{layout.name}")}
    return value


def _expect(kind: Any, value: Any, where: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"expected {kind.__name__} in {where or 'the file'}, found {type(value).__name__}")
    return value

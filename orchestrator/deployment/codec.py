"""Frozen dataclasses to JSON and back, strictly: an unknown, missing or mistyped key is an error with its place."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


T = TypeVar("T", bound="DataclassInstance")


_LEAVES: Final = frozenset({str, int, float, bool, type(None)})


class DecodeError(ValueError):
    """Raised when JSON does not have the shape of the type; the message begins with the JSON pointer."""


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _names(cls: type) -> tuple[str, ...] | None:
    """Return a dataclass's fields, None for another type."""
    return tuple(f.name for f in dataclasses.fields(cls)) if dataclasses.is_dataclass(cls) else None


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return `value` as data that `json` writes; fields at their default are kept, so that the text is canonical."""
    cls: Any = type(value)
    if cls in _LEAVES:
        return value
    if isinstance(value, Enum):
        return value.value
    names = _names(cls)
    if names is not None:
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def encode(value: object) -> str:
    """Return the canonical JSON text of a dataclass: keys sorted, no white space, UTF-8 kept."""
    return json.dumps(value, default=_shallow, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _shallow(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return what json cannot write by itself as `plain` does, its parts as they are: they come here in their turn."""
    cls: Any = type(value)
    names = _names(cls)
    return plain(value) if names is None else {name: getattr(value, name) for name in names}


def decode(cls: type[T], text: str | bytes) -> T:
    """Return the dataclass that `text` encodes. Raises DecodeError."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"/: not JSON: {error}") from None
    return build(cls, data)


def build(cls: type[T], data: object) -> T:
    """Return the dataclass that plain `data` describes. Raises DecodeError."""
    value = _build(cls, data, "")
    assert isinstance(value, cls)  # noqa: S101 - for the type checker: _build returns what it was asked for
    return value


def _build(hint: Any, data: object, at: str) -> object:  # noqa: ANN401 - a type form
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        choices = get_args(hint)
        if data is None and type(None) in choices:
            return None
        (inner,) = (choice for choice in choices if choice is not type(None))
        return _build(inner, data, at)
    if origin is tuple:
        return _tuple(get_args(hint), data, at)
    if origin is dict:
        _, inner = get_args(hint)
        if not isinstance(data, dict):
            raise _mistyped("an object", data, at)
        return {str(key): _build(inner, item, f"{at}/{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(hint):
        return _object(hint, data, at)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError:
            names = ", ".join(str(member.value) for member in hint)
            raise _mistyped(f"one of {names}", data, at) from None
    if hint is float:
        return _number(data, at)
    if not isinstance(data, hint) or (isinstance(data, bool) and hint is not bool):
        raise _mistyped(hint.__name__, data, at)
    return data


def _number(data: object, at: str) -> float:
    if not isinstance(data, int | float) or isinstance(data, bool):
        raise _mistyped("float", data, at)
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise DecodeError(f"{at or '/'}: not a finite number")
    return value


def _tuple(items: tuple[Any, ...], data: object, at: str) -> tuple[object, ...]:
    if not isinstance(data, list):
        raise _mistyped("a list", data, at)
    if len(items) == 2 and items[1] is Ellipsis:  # noqa: PLR2004 - tuple[T, ...]
        return tuple(_build(items[0], item, f"{at}/{i}") for i, item in enumerate(data))
    if len(items) != len(data):
        raise _mistyped(f"a list of {len(items)}", data, at)
    return tuple(_build(hint, item, f"{at}/{i}") for i, (hint, item) in enumerate(zip(items, data, strict=True)))


def _object(cls: Any, data: object, at: str) -> object:  # noqa: ANN401 - a dataclass type
    if not isinstance(data, dict):
        raise _mistyped("an object", data, at)
    hints = _hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}
    for key in data:
        if key not in known:
            raise DecodeError(f"{at}/{key}: unknown key")
    for name, f in known.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise DecodeError(f"{at}/{name}: missing")
    return cls(**{name: _build(hints[name], item, f"{at}/{name}") for name, item in data.items()})


def _mistyped(wanted: str, data: object, at: str) -> DecodeError:
    return DecodeError(f"{at or '/'}: expected {wanted}, found {type(data).__name__}")

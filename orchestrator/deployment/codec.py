"""Frozen dataclasses to JSON and back, strictly: an unknown, missing or mistyped key is an error with its place."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from enum import Enum
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import DataclassInstance

    Builder = Callable[[object], object]


T = TypeVar("T", bound="DataclassInstance")


_LEAVES: Final = frozenset({str, int, float, bool, type(None)})


class DecodeError(ValueError):
    """Raised when JSON does not have the shape of the type; the message begins with the JSON pointer."""


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
    try:
        value = _builder(cls)(data)
    except _WrongError as error:
        at = "".join(f"/{key}" for key in reversed(error.keys))
        raise DecodeError(f"{at or '/'}: {error}") from None
    assert isinstance(value, cls)  # noqa: S101 - for the type checker: a builder makes what it was asked for
    return value


class _WrongError(Exception):
    """Raised by a builder; whoever it passes through adds its key, so the innermost is the first."""

    def __init__(self, message: str, *keys: object) -> None:
        super().__init__(message)
        self.keys = list(keys)


@cache
def _builder(hint: Any) -> Builder:  # noqa: ANN401 - a type form
    """Return what makes values of a type from JSON; what is to be known of the type is looked up once."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _optional(hint)
    if origin is tuple:
        items = get_args(hint)
        if len(items) == 2 and items[1] is Ellipsis:  # noqa: PLR2004 - tuple[T, ...]
            return _list(_builder(items[0]))
        return _fixed(tuple(_builder(item) for item in items))
    if origin is dict:
        return _mapping(_builder(get_args(hint)[1]))
    if dataclasses.is_dataclass(hint):
        return _object(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint)
    return _number if hint is float else _leaf(hint)


def _optional(hint: Any) -> Builder:  # noqa: ANN401 - a type form
    choices = get_args(hint)
    (inner,) = (_builder(choice) for choice in choices if choice is not type(None))
    if type(None) not in choices:
        return inner
    return lambda data: None if data is None else inner(data)


def _list(inner: Builder) -> Builder:
    def make(data: object) -> tuple[object, ...]:
        if not isinstance(data, list):
            raise _mistyped("a list", data)
        return _items(data, repeat(inner))

    return make


def _fixed(inner: tuple[Builder, ...]) -> Builder:
    def make(data: object) -> tuple[object, ...]:
        if not isinstance(data, list):
            raise _mistyped("a list", data)
        if len(inner) != len(data):
            raise _mistyped(f"a list of {len(inner)}", data)
        return _items(data, inner)

    return make


def _items(data: list[object], builders: Iterable[Builder]) -> tuple[object, ...]:
    made: list[object] = []
    for item, builder in zip(data, builders, strict=False):
        try:
            made.append(builder(item))
        except _WrongError as error:
            error.keys.append(len(made))
            raise
    return tuple(made)


def _mapping(inner: Builder) -> Builder:
    def make(data: object) -> dict[str, object]:
        if not isinstance(data, dict):
            raise _mistyped("an object", data)
        return _entries(data, dict.fromkeys(data, inner))

    return make


def _object(cls: Any) -> Builder:  # noqa: ANN401 - a dataclass type
    hints = get_type_hints(cls)
    fields = dataclasses.fields(cls)
    builders = {f.name: _builder(hints[f.name]) for f in fields}
    nothing = dataclasses.MISSING
    required = [f.name for f in fields if f.default is nothing and f.default_factory is nothing]

    def make(data: object) -> object:
        if not isinstance(data, dict):
            raise _mistyped("an object", data)
        for key in data:
            if key not in builders:
                raise _WrongError("unknown key", key)
        for name in required:
            if name not in data:
                raise _WrongError("missing", name)
        return cls(**_entries(data, builders))

    return make


def _entries(data: dict[str, object], builders: Mapping[str, Builder]) -> dict[str, object]:
    made = {}
    for key, item in data.items():
        try:
            made[key] = builders[key](item)
        except _WrongError as error:
            error.keys.append(key)
            raise
    return made


def _member(cls: type[Enum]) -> Builder:
    def make(data: object) -> object:
        try:
            return cls(data)
        except ValueError:
            names = ", ".join(str(member.value) for member in cls)
            raise _mistyped(f"one of {names}", data) from None

    return make


def _leaf(cls: type) -> Builder:
    def make(data: object) -> object:
        if type(data) is not cls:
            raise _mistyped(cls.__name__, data)
        return data

    return make


def _number(data: object) -> float:
    if type(data) is float or type(data) is int:
        try:
            value = float(data)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise _WrongError("not a finite number")
        return value
    raise _mistyped("float", data)


def _mistyped(wanted: str, data: object) -> _WrongError:
    return _WrongError(f"expected {wanted}, found {type(data).__name__}")

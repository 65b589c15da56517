"""Pydantic's errors in the words of a stack file: where, what is there, and what to write instead."""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from orchestrator.printable import printable
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.document import SECTIONS, Finding, holds_secrets, key_shown, quote
from orchestrator.stack.model import Connector, Stack
from orchestrator.stack.parts import Part, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from orchestrator.stack.document import Document

_KEY: Final = "[key]"

_TYPES: Final = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of that size",
    "float_type": "a number",
    "finite_number": "a finite number",
    "dict_type": "a table",
    "model_type": "a table",
    "tuple_type": "a list",
    "list_type": "a list",
}
"""Pydantic's error types for a value of the wrong type -> what is wanted."""

_MISSING: Final = {
    "network": "write network: testnet, demo, local or mainnet; every URL must belong to it",
    "type": "write type: what the connector program calls the exchange, or sim",
    "path": "write path: the folder of the cargo workspace",
    "command": "write command: [program, argument, ..]",
}

_POLICIES: Final = {
    "no": "never", "off": "never", "none": "never", "yes": "always", "on": "always", "unless-stopped": "always",
    "on_failure": "on-failure", "onfailure": "on-failure",
}  # fmt: skip
"""What other managers, and YAML 1.1, call the restart policies."""

_EXCHANGE_KEYS: Final = {
    "api_key", "api_url", "category", "order_prefix", "private_url", "public_url", "rest_url", "secret", "stream_url",
    "trade_url", "ws_api_url",
}  # fmt: skip
"""Keys of upstream's connector configs (binancefutures, binancespot, bybit)."""


def _alias(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _fields(model: type[Part]) -> dict[str, type[Part] | None]:
    """Return the keys of a table and, for those that are tables (or tables of tables), the model inside."""
    return {_alias(name, field): part_of(field.annotation) for name, field in model.model_fields.items()}


def _model_at(parts: Sequence[str]) -> type[Part] | None:
    """Return the model of the table at this place of a stack file."""
    model: type[Part] | None = Stack
    named = False
    for part in parts:
        if named:
            named = False
            continue
        if model is None:
            return None
        model = _fields(model).get(part)
        named = part in (*SECTIONS, "depends_on", "secrets")
    return model


def _unknown_key(parts: Sequence[str]) -> Finding:
    *above, key = parts
    pointer = json_pointer.join(parts)
    model = _model_at(above)
    fields = _fields(model) if model is not None else {}
    return Finding(
        pointer,
        f"there is no key {quote(key_shown(parts))} here",
        _nearest(key, fields, model),
        "unknown-key",
        on_key=True,
    )


def _nearest(key: str, fields: dict[str, type[Part] | None], model: type[Part] | None) -> str:
    if model is Connector and key in _EXCHANGE_KEYS:
        return "it belongs under config:"
    inside = next(
        (name for name, inner in fields.items() if inner and name not in SECTIONS and key in _fields(inner)), None
    )
    if inside is not None:
        return f"it belongs under {inside}:"
    near = get_close_matches(key.replace("-", "_").lower(), fields, 1)
    return f"did you mean {near[0]}?" if near else f"the keys are {', '.join(fields)}"


def _wrong_type(kind: str, value: object, parts: Sequence[str]) -> str:
    secret = holds_secrets(parts)
    if kind == "string_type":
        if isinstance(value, bool | int | float):
            return "put it in quotes" if secret else f'put it in quotes: "{quote(value)}"'
        return "write text"
    if kind == "bool_type":
        return "write true or false, without quotes"
    if kind in {"int_type", "int_from_float", "float_type"}:
        numeric = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value)
        return "remove the quotes" if numeric else f"write {_TYPES[kind]}"
    if kind in {"tuple_type", "list_type"}:
        if isinstance(value, str) and parts[-1] in {"command", "exec"}:
            return f"no shell splits it: write {_as_list(value)}"
        return "write [one, another]" if not isinstance(value, str) or secret else f"write [{printable(value)}]"
    if parts[0] == "secrets":
        return "say where it comes from: {env: VARIABLE}, {file: PATH}, {command: [..]} or {credential: NAME}"
    return "write key: value pairs, indented below it"


def _as_list(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    plain = [word if re.fullmatch(r"[A-Za-z_./][A-Za-z0-9_./=-]*", word) else quote(word) for word in words]
    return f"[{', '.join(plain)}]" if plain else "[program, argument]"


def _choice(expected: str, value: object, parts: Sequence[str]) -> tuple[str, str]:
    """Return what a value is with regard to the allowed ones, and the hint."""
    choices = re.findall(r"'([^']*)'", expected)
    if parts[0] == "bots" and parts[-1] == "type":
        return "not sim, the only type of bot", "give your own program as command: [program, argument, ..]"
    if len(choices) == 1:
        return f"not {choices[0]}", f"write {choices[0]}"
    near: list[str] = []
    if isinstance(value, str):
        translated = _POLICIES.get(value.lower()) if parts[-1] == "policy" else None
        near = [translated] if translated else get_close_matches(value.lower(), choices, 1)
    return f"none of {', '.join(choices)}", f"write {near[0] if near else 'one of them'}"


def _bound(context: dict[str, object]) -> tuple[str, str]:
    for key, words, hint in (
        ("ge", "is below", "at least"), ("gt", "is not above", "more than"),
        ("le", "is above", "at most"), ("lt", "is not below", "less than"),
    ):  # fmt: skip
        if key in context:
            return f"{words} {context[key]}", f"write {hint} {context[key]}"
    return "is out of range", "write another value"


def _finding(error: ErrorDetails, document: Document) -> Finding:
    raw = [str(part) for part in error["loc"]]
    on_key = raw[-1:] == [_KEY]
    parts = raw[:-1] if on_key else raw
    pointer = json_pointer.join(parts)
    kind = error["type"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(parts)
    if kind == "missing":
        key = parts[-1]
        return Finding(
            json_pointer.parent(pointer),
            f'the key "{key}" is missing',
            _MISSING.get(key, f"add {key}:"),
            "missing-key",
            on_key=True,
        )
    value = parts[-1] if on_key else document.at(parts)
    subject = quote(key_shown(parts)) if on_key else document.quoted(pointer)
    if kind in {"literal_error", "enum"}:
        words, hint = _choice(str(context.get("expected", "")), value, parts)
        return Finding(pointer, f"{subject} is {words}", hint, "unknown-value", on_key)
    if kind in _TYPES:
        return Finding(
            pointer, f"{subject} is not {_TYPES[kind]}", _wrong_type(kind, value, parts), "wrong-type", on_key
        )
    if kind in {"greater_than_equal", "greater_than", "less_than_equal", "less_than"}:
        words, hint = _bound(dict(context))
        return Finding(pointer, f"{subject} {words}", hint, "out-of-range", on_key)
    advice = str(context["hint"]) if "hint" in context else None
    return Finding(pointer, f"{subject} {error['msg']}", advice, kind.replace("_", "-"), on_key)


def diagnose(error: ValidationError, document: Document) -> list[Finding]:
    """Return what pydantic found wrong with the data of `document`, one finding a mistake."""
    details = error.errors(include_url=False, include_input=False)
    return [_finding(detail, document) for detail in details]

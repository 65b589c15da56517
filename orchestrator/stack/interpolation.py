"""Variables in text: `${VAR}`, `${VAR:-default}`, `${VAR:?message}`, and `$$` for a dollar sign.

Not in the network, types, features, names and URLs: a reviewer must see those. `${secret:NAME}` stays what it is, in
configs alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestrator.printable import printable
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack import templates
from orchestrator.stack.document import SECTIONS, Finding
from orchestrator.stack.templates import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOLLAR: Final = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<inner>[^{}]*)\}|(?P<open>\{)|(?P<bare>[A-Za-z_]))")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)
_REFERENCES: Final = re.compile(r"(?:\$\{(?:[A-Za-z_][A-Za-z0-9_]*(?::-|:\?[^{}]*)?|secret:[A-Za-z0-9_.-]+)\})+")
_FORMS: Final = "write ${VAR}, ${VAR:-default} or ${VAR:?message}; $$ is a dollar sign"
_UNIT_DEPTH: Final = 2
_URL_KEY: Final = re.compile(r"(?:url|urls|uri)$", re.IGNORECASE)

_LITERAL: Final = {"network", "name", "allow_hosts"}
_LITERAL_PLACES: Final = {("source", "git"), ("source", "rev")}
_LITERAL_IN_UNITS: Final = {"type", "features", "depends_on", "ignore"}
"""Where a reviewer must see what is meant."""


class Itself(dict[str, str]):
    """An environment for who has not the variables of a stack: one that is not set, and has no default, is its name."""

    def __missing__(self, name: str) -> str:
        """Return the reference as it would be written."""
        return f"${{{name}}}"


class InterpolationError(Exception):
    """Raised when a text cannot be completed; neither the text nor a variable's value is in the message."""

    def __init__(self, message: str, hint: str, rule: str) -> None:
        super().__init__(message)
        self.message, self.hint, self.rule = message, hint, rule


def _resolve(inner: str, environ: Mapping[str, str]) -> str:
    if inner.startswith(templates.PREFIX):
        raise InterpolationError(
            "secrets work in the configs of connectors alone",
            "move it under config:, or into the TOML file; elsewhere others could read it",
            "secret-place",
        )
    match = _VARIABLE.fullmatch(inner)
    if match is None:
        raise InterpolationError("a ${..} in this text is not understood", _FORMS, "interpolation-syntax")
    name, operator, operand = match.groups()
    value = (environ.get(name) or operand) if operator == ":-" else _value(name, environ)
    if value is None or (operator == ":?" and not value):
        raise _unset(name, operand if operator == ":?" else None)
    if "\0" in value or not _is_unicode(value):
        raise InterpolationError(
            f"the value of the variable {name} is not UTF-8 text", f"set {name} anew", "variable-encoding"
        )
    return value


def _value(name: str, environ: Mapping[str, str]) -> str | None:
    try:
        return environ[name]
    except KeyError:
        return None


def _unset(name: str, reason: str | None) -> InterpolationError:
    if reason is None:
        hint = f"set {name}, or write ${{{name}:-default}}"
        return InterpolationError(f"the variable {name} is not set", hint, "variable-unset")
    message = f"the variable {name} is not set: {printable(reason) or 'it is required'}"
    return InterpolationError(message, f"set {name}", "variable-unset")


def _is_unicode(text: str) -> bool:
    # The environment of a process is bytes; Python keeps those that are not UTF-8 as lone surrogates.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def expand(text: str, environ: Mapping[str, str], *, secrets: bool = False) -> tuple[str, bool]:
    """Return `text` with its variables replaced, and whether there were any; a template where it refers to `secrets`.

    Raises:
        InterpolationError: a variable is not set, the text is not understood, or no secret may stand in it.
    """
    parts = [""]
    used = False
    at = 0
    for match in _DOLLAR.finditer(text):
        parts[-1] += text[at : match.start()]
        at = match.end()
        inner = match["inner"]
        used = used or inner is not None
        if secrets and inner is not None and inner.startswith(templates.PREFIX):
            parts += [inner.removeprefix(templates.PREFIX), ""]
        else:
            parts[-1] += _replaced(match, environ)
    parts[-1] += text[at:]
    return Template.of(tuple(parts)) if len(parts) > 1 else parts[0], used


def _replaced(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    if match["inner"] is not None:
        return _resolve(match["inner"], environ)
    if match["open"]:
        raise InterpolationError("a ${ in this text is never closed, or holds another", _FORMS, "interpolation-syntax")
    raise InterpolationError(
        "a $ stands before a letter in this text",
        "write ${VAR} for a variable, or $$ for a dollar sign",
        "interpolation-syntax",
    )


def _must_be_literal(parts: tuple[str, ...]) -> bool:
    if parts[0] in SECTIONS:
        return len(parts) > _UNIT_DEPTH and parts[_UNIT_DEPTH] in _LITERAL_IN_UNITS
    return parts[0] in _LITERAL or parts in _LITERAL_PLACES


def _in_config(parts: tuple[str, ...]) -> bool:
    return len(parts) > _UNIT_DEPTH + 1 and parts[0] in SECTIONS and parts[_UNIT_DEPTH] == "config"


def _is_url(parts: tuple[str, ...], text: str) -> bool:
    key = next((part for part in reversed(parts) if not part.isdecimal()), "")
    return _URL_KEY.search(key) is not None or "://" in text


def _may_hold(value: object) -> bool:
    return "$" in value if isinstance(value, str) else isinstance(value, dict | list)


class _Expansion:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.findings: list[Finding] = []
        self.unset: dict[str, str] = {}

    def value(self, value: object, pointer: str) -> object:
        if isinstance(value, str):
            return self.text(value, pointer) if "$" in value else value
        if isinstance(value, dict):
            return {
                key: self.value(item, json_pointer.child(pointer, key)) if _may_hold(item) else item
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item, json_pointer.child(pointer, index)) for index, item in enumerate(value)]
        return value

    def text(self, text: str, pointer: str) -> str:
        parts = json_pointer.split(pointer)
        if _must_be_literal(parts):
            return self.refuse(text, pointer, "here") if "${" in text else text
        in_config = _in_config(parts)
        if in_config and "${" in text and _is_url(parts, text):
            return self.refuse(text, pointer, "in a URL")
        try:
            expanded, used = expand(text, self.environ, secrets=in_config)
        except InterpolationError as error:
            self.findings.append(Finding(pointer, error.message, error.hint, error.rule))
            return text
        if in_config and used and _is_url(parts, expanded):
            return self.refuse(text, pointer, "in a URL")
        name = self._itself(text)
        if name is not None:
            self.unset[pointer] = name
        return expanded

    def _itself(self, text: str) -> str | None:
        """Return the first variable of `text` that stands for itself."""
        if not isinstance(self.environ, Itself):
            return None
        found = (_VARIABLE.fullmatch(match["inner"]) for match in _DOLLAR.finditer(text) if match["inner"] is not None)
        return next((v[1] for v in found if v is not None and v[2] != ":-" and v[1] not in self.environ), None)

    def refuse(self, text: str, pointer: str, where: str) -> str:
        message = f"variables do not work {where}"
        self.findings.append(
            Finding(pointer, message, "write it out: a reviewer must see it", "interpolation-forbidden")
        )
        return text


def escape(text: str, parts: tuple[str, ...]) -> str:
    """Return what has to stand in a stack file at a place for `text` to come out of the interpolation."""
    return text if _must_be_literal(parts) else text.replace("$", "$$")


def unset(pointer: str, name: str) -> Finding:
    """Return what to say where a variable stands for itself, and its value is needed."""
    error = _unset(name, None)
    return Finding(pointer, f"{error.message}, and its value is needed here", error.hint, error.rule)


def is_completed(text: str) -> bool:
    """Tell whether something in `text` is replaced."""
    return any(match["inner"] is not None for match in _DOLLAR.finditer(text))


def refers(text: str) -> bool:
    """Tell whether `text` is made of references alone, without defaults: nothing of it is a value."""
    return _REFERENCES.fullmatch(text) is not None


def interpolate(
    data: dict[str, object], environ: Mapping[str, str]
) -> tuple[dict[str, object], list[Finding], dict[str, str]]:
    """Return a stack file's data with its variables replaced, what could not be, and what stands for itself.

    The last are variables by the pointer of their text, the first one of each.
    """
    expansion = _Expansion(environ)
    expanded = {key: expansion.value(value, json_pointer.child("", key)) for key, value in data.items()}
    return expanded, expansion.findings, expansion.unset

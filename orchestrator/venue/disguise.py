"""Connectors that are declared as services or bots: no rule that judges a connector would see them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Kind
from orchestrator.stack import pointer as json_pointer
from orchestrator.venue.models import MODELS
from orchestrator.venue.remark import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.stack.declared import DeclaredUnit, View

_PROGRAM: Final = "connector"
"""Upstream's package, and the binary in it (connector/Cargo.toml)."""


def connectors(view: View) -> Iterator[Remark]:
    """Yield the services and bots that run a connector: its package, or its program with a type that is known."""
    for unit in view.units:
        below = None if unit.kind is Kind.CONNECTOR else _place(unit)
        if below is not None:
            yield Remark(
                "connector-place",
                (unit.name,),
                (*json_pointer.split(unit.pointer), *below),
                "this runs a connector, whose network, keys and order prefix nobody judges here",
                "declare it under connectors: with type: and config:",
            )


def _place(unit: DeclaredUnit) -> tuple[str | int, ...] | None:
    """Return where in the unit a connector is named; None when it runs something else."""
    package, binary = unit.data.get("package"), unit.data.get("bin", unit.data.get("package"))
    if package == binary == _PROGRAM:
        return ("package",)
    if binary == _PROGRAM and _types(_words(unit.data.get("args"))):
        return ("bin",)
    words = _words(unit.data.get("command"))
    for at, (index, word) in enumerate(words):
        if word.rpartition("/")[2] == _PROGRAM and _types(words[at + 1 :]):
            return ("command", index)
    return None


def _words(arguments: object) -> list[tuple[int, str]]:
    """Return the words of a command, each with the index of the argument that it is in, which may be a shell's line."""
    texts = enumerate(arguments if isinstance(arguments, list) else ())
    return [(index, word) for index, text in texts if isinstance(text, str) for word in text.split()]


def _types(arguments: list[tuple[int, str]]) -> bool:
    """Tell whether these are a connector's arguments, NAME TYPE CONFIG, with a type that is known."""
    given = (word for _, word in arguments if not word.startswith("-"))
    return next(islice(given, 1, None), None) in MODELS

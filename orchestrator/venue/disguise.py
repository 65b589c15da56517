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
    if unit.data.get("package") == _PROGRAM and unit.data.get("bin", _PROGRAM) == _PROGRAM:
        return ("package",)
    command = unit.data.get("command")
    words = [
        (index, word)
        for index, text in enumerate(command if isinstance(command, list) else ())
        if isinstance(text, str)
        for word in text.split()
    ]
    for at, (index, word) in enumerate(words):
        if word.rpartition("/")[2] == _PROGRAM:
            arguments = (later for _, later in words[at + 1 :] if not later.startswith("-"))
            if next(islice(arguments, 1, None), None) in MODELS:
                return ("command", index)
    return None

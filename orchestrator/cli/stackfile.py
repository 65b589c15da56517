"""Loading a stack file on behalf of a verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator import venue
from orchestrator.cli import terminal
from orchestrator.errors import UsageError
from orchestrator.observe import selection, stackfiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.stack.model import Stack


def load(file: Path, environ: Mapping[str, str], *, anywhere: bool = False) -> Stack:
    """Return the validated stack, its variables set or not for `anywhere`, and tell its warnings. Raises StackError."""
    stack = (venue.load_anywhere if anywhere else venue.load)(file, environ)
    for warning in stack.warnings:
        terminal.say(str(warning))
    return stack


def check_units(stack: Stack, units: Sequence[str], *, named: bool) -> None:
    """Raise UsageError for a unit that the stack lacks. Unless `named`, the first may have been meant for a stack."""
    known = [*stack.connectors, *stack.services, *stack.bots]
    if units and not named and units[0] not in known:
        there = ", ".join(map(str, stackfiles.nearby(Path())))
        raise UsageError(
            f"there is no stack {units[0]}, and {stack.name} has no unit {units[0]}",
            hint=f"there is {there or stack.file}; {stack.name} has {', '.join(known) or 'no units'}",
        )
    selection.check_units(stack.name, units, known)


def summary(stack: Stack) -> str:
    """Return the stack's units in numbers: 2 connectors, 1 bot."""
    counts = (
        (len(stack.connectors), "connector"),
        (len(stack.services), "service"),
        (len(stack.bots), "bot"),
    )
    return ", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count) or "no units"

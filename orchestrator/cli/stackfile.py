"""Loading a stack file on behalf of a verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.stack import load as load_stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack


def load(file: Path, environ: Mapping[str, str]) -> Stack:
    """Return the validated stack. Raises StackError."""
    return load_stack(file, environ)


def summary(stack: Stack) -> str:
    """Return the stack's units in numbers: 2 connectors, 1 bot."""
    counts = (
        (len(stack.connectors), "connector"),
        (len(stack.services), "service"),
        (len(stack.bots), "bot"),
    )
    return ", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count) or "no units"

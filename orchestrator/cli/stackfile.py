"""Loading a stack file on behalf of a verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator import venue
from orchestrator.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orchestrator.stack.model import Stack


def load(file: Path, environ: Mapping[str, str]) -> Stack:
    """Return the validated stack, and tell its warnings. Raises StackError."""
    stack = venue.load(file, environ)
    for warning in stack.warnings:
        terminal.say(str(warning))
    return stack


def summary(stack: Stack) -> str:
    """Return the stack's units in numbers: 2 connectors, 1 bot."""
    counts = (
        (len(stack.connectors), "connector"),
        (len(stack.services), "service"),
        (len(stack.bots), "bot"),
    )
    return ", ".join(f"{count} {noun}{'s' if count != 1 else ''}" for count, noun in counts if count) or "no units"

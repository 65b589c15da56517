"""The stack that a verb is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.deployment.homes import Home, locate
from orchestrator.observe import selection

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


def home() -> Home:
    """Return this user's home."""
    return locate(os.environ)


def find(wanted: str | None) -> StackHome:
    """Return the stack named on the command line, or the only one that runs. Raises UsageError."""
    return selection.select(home(), wanted)

"""The stack that a verb is about, and its supervisor."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from orchestrator.control.client import Client, NotSupervisedError
from orchestrator.deployment.homes import Home, locate
from orchestrator.observe import selection
from orchestrator.supervise import lock

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


def home() -> Home:
    """Return this user's home."""
    return locate(os.environ)


def find(wanted: str | None) -> StackHome:
    """Return the stack named on the command line, or the only one that runs. Raises UsageError."""
    return selection.select(home(), wanted)


def connect(stack: StackHome, *, timeout: float = 5.0) -> Client | None:
    """Return a connection to the stack's supervisor; None when it has none."""
    try:
        return Client(stack.socket, timeout=timeout)
    except NotSupervisedError:
        if lock.holder(stack.lock) is not None and stack.socket.exists():
            raise
        return None

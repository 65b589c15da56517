"""The stack that a verb is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.deployment.homes import Home, locate
from orchestrator.errors import UsageError
from orchestrator.observe import selection, stackfiles

if TYPE_CHECKING:
    from orchestrator.deployment.homes import StackHome


def home() -> Home:
    """Return this user's home."""
    return locate(os.environ)


def find(wanted: str | None) -> StackHome:
    """Return the stack named on the command line, else in HFTSTACK_STACK, else the only one. Raises UsageError.

    The only one is that which runs; when none runs, or several, that of the single file in ./stacks.
    """
    near = stackfiles.nearby(Path())
    try:
        return selection.select(home(), named(wanted), near[0] if len(near) == 1 else None)
    except UsageError as error:
        raise _blamed(error, wanted) from None


def file(wanted: str | None) -> Path:
    """Return the stack file named on the command line, else in HFTSTACK_STACK, else the single one in ./stacks.

    Raises UsageError.
    """
    try:
        return stackfiles.choose(home(), named(wanted), Path())
    except UsageError as error:
        raise _blamed(error, wanted) from None


def named(wanted: str | None) -> str | None:
    """Return what names the stack: `wanted`, of the command line, else HFTSTACK_STACK; None when nothing does."""
    return wanted if wanted is not None else os.environ.get(stackfiles.VARIABLE) or None


def _blamed(error: UsageError, wanted: str | None) -> UsageError:
    if wanted is not None or named(None) is None:
        return error
    return UsageError(error.message, where=stackfiles.VARIABLE, hint=error.hint)

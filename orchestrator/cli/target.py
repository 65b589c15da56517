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
    if wanted is not None:
        return selection.select(home(), wanted)
    near = stackfiles.nearby(Path())
    try:
        return selection.select(home(), _by_variable(), near[0] if len(near) == 1 else None)
    except UsageError as error:
        raise _blamed(error) from None


def file(wanted: str | None) -> Path:
    """Return the stack file named on the command line, else in HFTSTACK_STACK, else the single one in ./stacks.

    Raises UsageError.
    """
    if wanted is not None:
        return stackfiles.choose(home(), wanted, Path())
    try:
        return stackfiles.choose(home(), _by_variable(), Path())
    except UsageError as error:
        raise _blamed(error) from None


def _by_variable() -> str | None:
    return os.environ.get(stackfiles.VARIABLE) or None


def _blamed(error: UsageError) -> UsageError:
    if _by_variable() is None:
        return error
    return UsageError(error.message, where=stackfiles.VARIABLE, hint=error.hint)

"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")


class NotSeenError(Exception):
    """Raised when what a bench waits for did not come; says what."""


def until(what: str, condition: Callable[[], _Found], seconds: float, *, every: float = 0.005) -> _Found:
    """Return the condition's first true answer, asking each `every` seconds. Raises NotSeenError."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise NotSeenError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return answer

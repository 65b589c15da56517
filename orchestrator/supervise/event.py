"""One line of a stack's history, as it is journaled and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One line of history. `at` is nanoseconds since the epoch; `unit` None is the stack itself.

    `data` is for programs: what `gaps` and `history` are made of, by the event's kind.
    """

    at: int
    unit: str | None
    what: str
    text: str
    pid: int | None
    data: dict[str, Any] | None = None

"""A stop under way: part of a unit's state, and recorded, for it goes on when its supervisor has died."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class After(StrEnum):
    """What a stop leads to: `fail` is the restart policy's to decide."""

    STOPPED = "stopped"
    WAITING = "waiting"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Stopping:
    """A stop under way. It begins, with the first signal, when no dependent is alive.

    `counted`: it shows among the unit's restarts. Instants are seconds of the monotonic clock, which all supervisors
    of a boot share; `grace` is seconds.
    """

    after: After
    reason: str
    grace: float
    counted: bool = True
    begun: float | None = None
    kill_at: float = 0.0
    term_at: float = 0.0
    killed: bool = False

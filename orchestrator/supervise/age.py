"""Which units have come of age and may be restarted for it now. Pure: ages and the wall clock are handed in.

Exchanges end a connection after a day (Binance: 24 h), whatever goes on on it; a restart before that comes at an hour
of the operator's choice. Units of one venue take turns: an account never loses two of its feeds at a time.
The wall clock decides nothing but where in the day we are, so no step of it makes a young unit old. Where there is a
window, a unit is restarted in the last one that opens before it would be too old, and once in a window at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orchestrator.deployment.model import Restart, Window

_DAY: Final = 86_400.0
_APART: Final = 60.0
"""Seconds for which the last start of a venue must lie back; a tenth of `max_age` where that is shorter."""

_LONGEST: Final = 60.0
"""Seconds after which to ask again at the latest: the machine may have slept, or its wall clock been set."""

_AGAIN: Final = 1.0
"""Seconds after which to ask again when another unit of the venue is not up."""


@dataclass(frozen=True, slots=True)
class Member:
    """A wanted unit of a venue. `age` is seconds since it began, None while it does not run; `up`: at its target."""

    name: str
    venue: str
    restart: Restart
    age: float | None
    up: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """Whom to restart now, whom a unit of its venue holds up that is not up, and the seconds until to ask again."""

    due: tuple[str, ...] = ()
    held: tuple[tuple[str, str], ...] = ()
    again: float | None = None


def turn(members: Iterable[Member], wall: float) -> Turn:
    """Return whose turn it is; `wall` is seconds since the epoch. With no `max_age` anywhere, never ask again."""
    everyone = list(members)
    due: list[str] = []
    held: list[tuple[str, str]] = []
    waits: list[float] = []
    taken: set[str] = set()
    for member in sorted(everyone, key=lambda member: -(member.age or 0.0)):
        limit = member.restart.max_age
        if limit is None:
            continue
        wait = _until_due(member.age or 0.0, limit, member.restart.window, wall)
        if wait > 0:
            waits.append(wait)
            continue
        down, apart = _in_the_way(member, everyone, min(_APART, limit / 10))
        if not member.up or down is not None or member.venue in taken:
            waits.append(_AGAIN)
            if down is not None and member.up:
                held.append((member.name, down))
        elif apart > 0:
            waits.append(apart)
        else:
            taken.add(member.venue)
            due.append(member.name)
            waits.append(_AGAIN)
    return Turn(tuple(due), tuple(held), min(*waits, _LONGEST) if waits else None)


def _in_the_way(member: Member, everyone: Sequence[Member], apart: float) -> tuple[str | None, float]:
    """Return another unit of the venue that is not up, and for how many seconds another one is too young."""
    others = [other for other in everyone if other.venue == member.venue and other is not member]
    down = next((other.name for other in others if not other.up), None)
    return down, max((apart - other.age for other in others if other.age is not None), default=0.0)


def _until_due(age: float, limit: float, window: Window | None, wall: float) -> float:
    """Return the seconds after which to look again whether a unit is too old; 0 when it is to be restarted now."""
    length = 0.0 if window is None else (window.end - window.begin) % _DAY
    if window is None or not length:  # all day is no window
        return max(limit - age, 0.0)
    opened = (wall - window.begin) % _DAY
    until_next = _DAY - opened
    is_open, had_its_turn = opened < length, age <= opened
    return 0.0 if is_open and not had_its_turn and age + until_next > limit else until_next

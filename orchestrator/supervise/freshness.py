"""When a channel is stale: alive, open, and nothing moves. Pure: what was seen and the clocks are handed in.

The counters of all bots move together, and they move for orders, positions and the connector's own errors too
(hftbacktest, live/ipc/iceoryx.rs): one that stands proves silence, one that moves proves no market data. Hence
`min_rate`, and the look at the stream's socket.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.deployment.model import Health, Quiet

_WEEK: Final = 604_800.0
_MONDAY: Final = 4 * 86_400.0
"""The first Monday after the epoch, which began on a Thursday."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What was seen of a channel: instants of one clock in seconds, None for what is not so.

    A bot has been attached since `attached`, the last message since then came at `moved`; the rate has been below
    `min_rate` since `slow`, the stream's socket gone since `cut`.
    """

    attached: float | None = None
    moved: float | None = None
    slow: float | None = None
    cut: float | None = None


def silence(signs: Signs, health: Health, now: float, *, loud: float = math.inf) -> str | None:
    """Return why a channel is stale, None when it is not; `loud` is what the function of that name returned."""
    if loud <= 0:
        return None
    begun = now - loud
    after = health.stale_after

    def lasts(since: float | None, seconds: float) -> bool:
        return since is not None and now - max(since, begun) >= seconds

    if lasts(signs.cut, after):
        return f"its connection to the exchange has been gone for {after:g} s"
    if signs.attached is None:
        return None
    if signs.moved is None:
        first = after if health.first_message is None else health.first_message
        return f"no message within {first:g} s of a bot's attaching" if lasts(signs.attached, first) else None
    if lasts(signs.moved, after):
        return f"no message for {after:g} s"
    if lasts(signs.slow, after):
        return f"fewer than {health.min_rate:g} messages a second for {after:g} s"
    return None


def loud(quiet: Iterable[Quiet], wall: float) -> float:
    """Return the seconds since the last quiet window ended: 0 inside one, infinite without any.

    `wall` is seconds since the epoch.
    """
    second = (wall - _MONDAY) % _WEEK
    ended = math.inf
    for window in quiet:
        length = (window.end - window.begin) % _WEEK or _WEEK
        into = (second - window.begin) % _WEEK
        if into < length:
            return 0.0
        ended = min(ended, into - length)
    return ended

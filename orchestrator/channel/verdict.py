"""What a probe says of a channel: a verdict, its owner and the bots attached to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """State of a channel with regard to the process that should own it.

    LIVE: both ports are open and owned by that process. UNVERIFIED: a version whose layout is unknown, or files that
    may not be read; never taken for life or death. STARTING: that process has not opened every port yet.
    MISSING: nothing is there. RELEASED: that process had both ports and has dropped one. FOREIGN: another living
    process holds a port. STALE: only what dead owners left. SPLIT: that process uses files that were removed or
    replaced. CORRUPT: files that contradict each other; no start can succeed on them.
    """

    LIVE = "live"
    UNVERIFIED = "unverified"
    STARTING = "starting"
    MISSING = "missing"
    RELEASED = "released"
    FOREIGN = "foreign"
    STALE = "stale"
    SPLIT = "split"
    CORRUPT = "corrupt"


class BotLink(NamedTuple):
    """One bot's place on the connector's outgoing service.

    `written` and `read` count messages since the connection was made; both start at 0.
    """

    pid: int
    written: int
    read: int

    @property
    def lag(self) -> int:
        """Messages written that the bot has not taken yet; at most the channel's buffer size."""
        return max(0, self.written - self.read)


@dataclass(frozen=True, slots=True)
class Reading:
    """One full look at a channel.

    `owner` is the pid of a living owner of one of the connector's ports, None when there is none or when it lives in
    another pid namespace. `version` is the iceoryx2 version that made the channel. `detail` is one clause for people.
    `users` stand in for `bots` where the ports cannot be read: pids of the other living processes that have opened the
    connector's outgoing service, None where not even that can be seen.
    """

    verdict: Verdict
    owner: int | None = None
    version: tuple[int, int, int] | None = None
    bots: tuple[BotLink, ...] = ()
    detail: str | None = None
    users: tuple[int, ...] | None = ()

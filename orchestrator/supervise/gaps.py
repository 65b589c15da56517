"""When no fresh data came over a channel, from what the journal says. Pure; instants are nanoseconds since the epoch.

A channel is fresh while messages move to an attached bot. Everything else is a gap: from the last message, from the
exit, or from the last sign of life of a supervisor that died, until the channel is seen to be fresh again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from orchestrator.deployment.model import Level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.supervise.event import Event

_BEGINS: Final = frozenset({"wanted", "start", "appeared"})
_ENDS: Final = frozenset({"exit", "stopped", "replaced", "gone"})
_FROM_OUTSIDE: Final = frozenset({"supervised", "halt", "resume"})
"""What is journaled although nobody may have supervised the stack until then."""

_REASONS: Final = frozenset({"stopping", "recycle", "broken", "stale"})
_OF_CONNECTORS: Final = frozenset({Level.LIVE.value, Level.CONNECTED.value, Level.FRESH.value})
_PLANNED: Final = ("restarted by the operator", "changed: ", "older than its max_age", "removed from the stack")
"""What the reason for a restart begins with when somebody wanted it."""

UNSUPERVISED: Final = "nobody supervised it"
_STARTING: Final = "starting"
_BY_LEVEL: Final = {
    Level.STARTED.value: "its channel is not open",
    Level.LIVE.value: "its exchange stream is not connected",
    Level.CONNECTED.value: "no message",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval without fresh data; `end` None: it goes on. `known` False: nobody looked, data may have come.

    `planned`: somebody started, stopped or changed it, or expects nothing in its quiet hours.
    """

    unit: str
    start: int
    end: int | None
    cause: str
    planned: bool = False
    known: bool = True

    def __str__(self) -> str:
        if self.end is None:
            return f"no fresh data: {self.cause}"
        return f"no fresh data for {(self.end - self.start) / 1e9:.3g} s: {self.cause}"


class Channels:
    """Takes a stack's events in their order, and knows which channels are fresh and which gaps are open."""

    def __init__(self) -> None:
        self._fresh: dict[str, int] = {}
        self._gaps: dict[str, Gap] = {}
        self._reasons: dict[str, tuple[str, bool]] = {}
        self._connectors: set[str] = set()
        self._last = 0
        self._unsupervised: int | None = None

    def hear(self, event: Event) -> tuple[Gap, ...]:
        """Take an event; returns the gaps of connectors that it ends."""
        closed: tuple[Gap, ...] = ()
        if event.unit is None:
            if event.what == "unsupervised":
                self._leave_alone(event)
        elif event.what == "level":
            closed = self._climb(event.unit, event)
        elif event.what in _ENDS:
            text = event.text or event.what
            self._open(event.unit, event.at, *self._reasons.pop(event.unit, (text, event.what == "stopped")))
        elif event.what in _BEGINS and event.unit not in self._fresh:
            self._gaps.setdefault(event.unit, Gap(event.unit, event.at, None, _STARTING, planned=True))
        elif event.what == "adopted" and event.unit not in self._fresh:
            start = event.at if self._unsupervised is None else self._unsupervised
            self._gaps.setdefault(event.unit, Gap(event.unit, start, None, UNSUPERVISED, known=False))
        elif event.what in _REASONS:
            planned = event.what == "stopping" or event.text.startswith(_PLANNED)
            self._reasons[event.unit] = event.text, planned
            gap = self._gaps.get(event.unit)
            if event.what == "stale" and gap is not None and gap.cause in _BY_LEVEL.values():
                self._gaps[event.unit] = replace(gap, cause=event.text)
        elif event.what == "recovered":
            self._reasons.pop(event.unit, None)
        if event.what not in _FROM_OUTSIDE:
            self._last = max(self._last, event.at)
        return closed

    def open(self, connectors: Iterable[str] = ()) -> tuple[Gap, ...]:
        """Return the gaps that go on, of `connectors` and of units that were seen to be some."""
        known = self._connectors.union(connectors)
        return tuple(gap for name, gap in self._gaps.items() if name in known)

    def _leave_alone(self, event: Event) -> None:
        """Nobody looked for a while: what was fresh may have been so or not."""
        since = (event.data or {}).get("since")
        start = max(since, self._last) if isinstance(since, int) else self._last or event.at
        self._unsupervised = start = min(start, event.at)
        for name in list(self._fresh):
            self._open(name, start, UNSUPERVISED, known=False)

    def _climb(self, name: str, event: Event) -> tuple[Gap, ...]:
        if event.text in _OF_CONNECTORS:
            self._connectors.add(name)
        if event.text == Level.FRESH.value:
            self._reasons.pop(name, None)
            self._fresh[name] = event.at
            gap = self._gaps.pop(name, None)
            return () if gap is None else (replace(gap, end=max(gap.start, event.at)),)
        if name in self._fresh:
            self._fall(name, event)
        return ()

    def _fall(self, name: str, event: Event) -> None:
        data = event.data or {}
        if name in self._reasons:
            self._open(name, event.at, *self._reasons[name])
        elif data.get("bots") == 0:
            self._open(name, event.at, "no bot is attached")
        else:
            cause = _BY_LEVEL.get(event.text, event.text)
            silent = data.get("silent") if event.text == Level.CONNECTED.value else None
            start = event.at - silent if isinstance(silent, int) else event.at
            quiet = data.get("quiet") is True
            self._open(name, start, f"{cause}, in quiet hours" if quiet else cause, planned=quiet)

    def _open(self, name: str, start: int, cause: str, planned: bool = False, known: bool = True) -> None:  # noqa: FBT001, FBT002 - a row
        """Open a gap of a channel that was fresh until then, not before it was seen to be so."""
        fresh = self._fresh.pop(name, None)
        if fresh is not None:
            self._gaps[name] = Gap(name, max(start, fresh), None, cause, planned, known)


def gaps(events: Iterable[Event], connectors: Iterable[str] = ()) -> list[Gap]:
    """Return all gaps, in the order of their beginnings; `connectors` are units that are known to be some."""
    channels = Channels()
    found = [gap for event in events for gap in channels.hear(event)]
    return sorted([*found, *channels.open(connectors)], key=lambda gap: (gap.start, gap.unit))
